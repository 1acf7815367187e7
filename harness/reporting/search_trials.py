"""The recorded trials of a hyperparameter search: each with its sampled recipe and its validation error."""

from __future__ import annotations

from dataclasses import dataclass

from harness.specs import Sample
from harness.specs.experiment.search_space import Value
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import VALIDATION_ERROR
from harness.tracking.results_table import Results


@dataclass(frozen=True)
class SearchTrial:
    """One trial of a search.

    Attributes:
        sample: The variant and the sampled values of the recipe.
        id: The trial id.
        error: Validation error at the trial's last epoch, in percent; chance error if it diverged.
        epochs: Number of epochs that it was trained for.
        is_chosen: Whether the search chose this sample for its variant.
    """

    sample: Sample
    seed: int
    id: str
    error: float
    epochs: int
    outcome: TrialStatus
    is_chosen: bool


def list_search_trials(results: Results) -> list[SearchTrial]:
    """Return every recorded search trial, by variant and then by sample; empty if the experiment has no search."""
    study, trials = results.study, []
    rows_by_id = {str(id_): rows for id_, rows in results.tuning.groupby("trial", sort=False)}
    for sample in study.samples:
        for trial in study.trials_of(sample):
            if trial.id not in rows_by_id:
                continue
            rows = rows_by_id[trial.id]
            outcome = TrialStatus(rows["outcome"].iloc[-1])
            errors = rows[VALIDATION_ERROR].dropna()
            is_chance = outcome is TrialStatus.DIVERGED or errors.empty
            trials.append(
                SearchTrial(
                    sample=sample,
                    seed=trial.seed,
                    id=trial.id,
                    error=study.data.chance_error if is_chance else float(errors.iloc[-1]),
                    epochs=int(rows["epoch"].iloc[-1]),
                    outcome=outcome,
                    is_chosen=study.choices.get(sample.variant) == sample.number,
                )
            )
    return trials


def format_value(value: Value) -> str:
    """Return the value of a recipe's field as it is written in YAML."""
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
