"""The validation scores of a search's samples, and the choice of the best sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean

from harness.specs import ResolvedExperiment, Sample
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History
from harness.tracking.metrics import VALIDATION_ERROR, VALIDATION_LOSS


@dataclass(frozen=True)
class Score:
    """The score of one sample; lower is better.

    Attributes:
        value: The mean of the search's metric over the sample's seeds, each at its last epoch.
        validation_loss: The mean of the validation loss, which decides between equal values.
        is_whole: Whether every trial was trained for its whole budget: none was pruned.
    """

    value: float
    validation_loss: float
    is_whole: bool


def score_sample(study: ResolvedExperiment, sample: Sample, histories: Mapping[str, History]) -> Score | None:
    """Return a sample's score; None where one of its trials is not complete.

    A diverged trial scores as a network that guesses.

    Args:
        histories: The complete histories, by trial id.
    """
    tune = study.experiment.tune
    assert tune is not None
    complete = [histories[trial.id] for trial in study.trials_of(sample) if trial.id in histories]
    if len(complete) < len(study.trials_of(sample)):
        return None
    guessing = {VALIDATION_ERROR: study.data.chance_error, VALIDATION_LOSS: log(study.data.classes)}
    value, loss = (
        fmean(read_final_value(history, key, guessing[key]) for history in complete)
        for key in (tune.metric, VALIDATION_LOSS)
    )
    return Score(value, loss, all(history.outcome is not TrialStatus.PRUNED for history in complete))


def read_final_value(history: History, key: str, guessing: float) -> float:
    """Return the last measured value of a metric; ``guessing`` for a diverged trial, or where there is none."""
    if history.outcome is TrialStatus.DIVERGED:
        return guessing
    measured = (epoch.metrics.get(key) for epoch in reversed(history.epochs))
    return next((value for value in measured if value is not None), guessing)


def choose_sample(samples: Sequence[Sample], scores: Mapping[tuple[str, int], Score]) -> Sample:
    """Return the best sample: one without pruned trials if there is any, and the first of equal ones.

    Args:
        scores: By variant and number of the sample.
    """

    def rank(sample: Sample) -> tuple[bool, float, float, int]:
        score = scores[sample.variant, sample.number]
        return not score.is_whole, score.value, score.validation_loss, sample.number

    return min(samples, key=rank)
