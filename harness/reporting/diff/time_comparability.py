"""Whether the times of a variant in two results are comparable, and if not, why."""

from __future__ import annotations

import pandas as pd

from harness.reporting.comparability import (
    describe_conditions,
    describe_differences,
    describe_execution,
    describe_recipe,
    list_distinct,
)
from harness.reporting.diff.change import SIDES, LastEpochs
from harness.reporting.formatting import join_words
from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS
from harness.tracking.metrics import LATENCY, STEP_SECONDS, TRAINING_SECONDS

BENCHMARK_TIMES = (LATENCY, STEP_SECONDS)
"""Times that `harness bench` measures."""
NOT_MEASURED = "no time was measured"


def explain_incomparability(
    key: str,
    trials: LastEpochs,
    studies: tuple[ResolvedExperiment, ResolvedExperiment],
    sides: tuple[str, str] = SIDES,
) -> str | None:
    """Return why times are not comparable, as a clause of plain text; None if they are comparable.

    Times are comparable at equal hardware, software, settings and (except latency) recipe. A training time also needs
    a trial that finished and that had its device to itself.

    Args:
        key: Key of the time.
        trials: Last epochs of the trials on each side.
        sides: How the clause calls the two sides.

    Returns:
        :data:`NOT_MEASURED` if neither side has such a time.
    """
    timed = [rows[rows[key] > 0] for rows in trials]
    empty = [side for side, rows in zip(sides, timed, strict=True) if rows.empty]
    if empty:
        return f"it is not measured in {empty[0]}" if len(empty) == 1 else NOT_MEASURED
    if key == TRAINING_SECONDS:
        timed = [select_exclusive_trials(rows) for rows in timed]
        empty = [side for side, rows in zip(sides, timed, strict=True) if rows.empty]
        if empty:
            return f"no finished trial had its device to itself in {join_words(empty)}"
    for side, rows in zip(sides, timed, strict=True):
        mixed = [column for column in CONDITIONS if len(list_distinct(rows[column])) > 1]
        if mixed:
            return f"the trials of {side} differ in {join_words(mixed)}"
    conditions = describe_differences(describe_conditions(timed[0]), describe_conditions(timed[1]))
    if conditions:
        return f"hardware, software or settings differ ({conditions})"
    settings = describe_differences(describe_execution(studies[0]), describe_execution(studies[1]))
    if settings:
        return f"execution settings differ ({settings})"
    if key != LATENCY and describe_differences(describe_recipe(studies[0]), describe_recipe(studies[1])):
        return "the recipe changed"
    return None


def select_exclusive_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that finished and had their device to themselves."""
    return trials[~trials["shared"] & (trials["outcome"] == TrialStatus.FINISHED)]
