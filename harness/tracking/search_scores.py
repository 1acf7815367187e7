"""How well the samples of a search did on the validation split, and which of them is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean

from harness.specs import ResolvedExperiment, Sample
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History


@dataclass(frozen=True)
class Score:
    """Of one sample.

    Attributes:
        value: The mean of the search's metric over its seeds, at the last epoch that each had.
        tie: The mean of the validation loss, which decides between equal errors.
        whole: Whether every trial was given its whole budget.
    """

    value: float
    tie: float
    whole: bool


def score_sample(study: ResolvedExperiment, sample: Sample, histories: Mapping[str, History]) -> Score | None:
    """Of a sample; None where one of its trials has not come to its end. What diverged scores as guessing does."""
    tune = study.experiment.tune
    assert tune is not None
    mine = [histories.get(trial.id) for trial in study.trials_of(sample)]
    known = [history for history in mine if history is not None]
    if len(known) < len(mine):
        return None
    guessing = {"val/error": study.data.chance_error, "val/loss": log(study.data.classes)}
    value, tie = (
        fmean(last_value(history, key, guessing[key]) for history in known) for key in (tune.metric, "val/loss")
    )
    return Score(value, tie, all(history.outcome is not TrialStatus.PRUNED for history in known))


def last_value(history: History, key: str, guessing: float) -> float:
    """A metric where it was last measured; ``guessing`` for what diverged."""
    if history.outcome is TrialStatus.DIVERGED:
        return guessing
    measured = (epoch.metrics.get(key) for epoch in reversed(history.epochs))
    return next((value for value in measured if value is not None), guessing)


def best_sample(samples: Sequence[Sample], scores: Mapping[tuple[str, int], Score]) -> Sample:
    """The sample with the lowest score: of those that were not stopped early, the first of equal ones."""

    def key(sample: Sample) -> tuple[bool, float, float, int]:
        found = scores[sample.variant, sample.number]
        return not found.whole, found.value, found.tie, sample.number

    return min(samples, key=key)
