"""Whether a verdict is exploratory, from the recorded trials and from what the record holds of earlier analyses."""

from __future__ import annotations

import pandas as pd

from harness.specs import ResolvedExperiment
from harness.specs.declarations.batches import list_earlier_batches
from harness.specs.declarations.exploratory import explain_exploratory


def explain_exploratory_results(study: ResolvedExperiment, index: int, final: pd.DataFrame) -> str:
    """Return why the verdict on a contrast is only exploratory, in sentences; empty where it is not.

    Args:
        study: An experiment on one data set, or the view of one.
        index: Index of the contrast among those that are declared.
        final: The last epoch of every trial, one row each.
    """
    seeds, complete = recorded_seeds(study, index, final), _count_complete(study, index, final)
    return explain_exploratory(study, index, seeds, complete)


def describe_earlier_batches(study: ResolvedExperiment, index: int, final: pd.DataFrame) -> list[str]:
    """Return the batches of other seeds with which the comparison was analysed before: their seeds, and what was found.

    Args:
        study: An experiment on one data set, or the view of one.
        index: Index of the contrast among those that are declared.
        final: The last epoch of every trial, one row each.
    """
    return [str(batch) for batch in list_earlier_batches(study, index, recorded_seeds(study, index, final))]


def recorded_seeds(study: ResolvedExperiment, index: int, final: pd.DataFrame) -> tuple[int, ...]:
    """Return the seeds with a recorded trial of a variant that the contrast compares, rising."""
    return tuple(sorted(set().union(*_list_seeds(study, index, final))))


def _count_complete(study: ResolvedExperiment, index: int, final: pd.DataFrame) -> int:
    """Return the number of declared seeds for which all compared trials are recorded."""
    return len(set(study.experiment.seeds).intersection(*_list_seeds(study, index, final)))


def _list_seeds(study: ResolvedExperiment, index: int, final: pd.DataFrame) -> list[set[int]]:
    """Return the recorded seeds of each variant that the contrast compares."""
    # Arrays, because selecting rows of a frame takes most of the time of a decision.
    variants, seeds = final["variant"].to_numpy(), final["seed"].to_numpy()
    return [set(seeds[variants == name].tolist()) for name in study.contrast_variants[index].values()]
