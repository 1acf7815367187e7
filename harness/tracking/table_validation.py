"""Checks of a results table before anything is concluded from it: users edit, join and cut such files."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.errors import HarnessError
from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import EVALUATED_ERRORS, MACS, ONLINE_TRAINING_ERROR, PARAMETERS

REMEDY = (
    "Give a results.csv as `harness report` wrote it, unchanged; `harness report NAME` writes it again from the record."
)


def validate_table(study: ResolvedExperiment, epochs: pd.DataFrame, where: str) -> None:
    """Raise an error for a table from which wrong conclusions would be drawn.

    Args:
        epochs: One row per trial and epoch, with the columns of :class:`harness.tracking.results_table.Results`.
        where: The file.

    Raises:
        HarnessError: A trial occurs twice or belongs to no declared variant or seed, or an error that has to be
            measured is not a number between 0 and 100.
    """
    _require_declared_trials(study, epochs, where)
    _require_unique_rows(epochs, where)
    require_equal_costs(epochs, where)
    _require_valid_errors(epochs, where)


def _require_declared_trials(study: ResolvedExperiment, epochs: pd.DataFrame, where: str) -> None:
    names = [variant.name for variant in study.variants]
    _refuse(epochs[~epochs["variant"].isin(names)], "the experiment declares no such variant", where)
    _refuse(epochs[~epochs["seed"].isin(study.experiment.seeds)], "the experiment declares no such seed", where)


def _require_unique_rows(epochs: pd.DataFrame, where: str) -> None:
    repeated = epochs[epochs.duplicated(["trial", "epoch"])]
    _refuse(repeated, "the table has two rows for this trial and epoch", where, with_epoch=True)
    trials = epochs[["trial", "variant", "seed", "outcome"]].drop_duplicates()
    _refuse(trials[trials.duplicated("trial")], "its rows name several variants, seeds or outcomes", where)
    _refuse(trials[trials.duplicated(["variant", "seed"])], "another trial has the same variant and seed", where)


def require_equal_costs(trials: pd.DataFrame, where: str, remedy: str = REMEDY) -> None:
    """Raise an error if the trials of one variant have unlike networks, whose mean would say nothing.

    MACs are compared where one tool has counted them, because tools count some operators differently.

    Args:
        trials: Rows of trials, with the columns of costs.

    Raises:
        HarnessError: Two trials of a variant have other parameters or MACs.
    """
    for keys, cost, name in ((["variant"], PARAMETERS, "parameters"), (["variant", "counter"], MACS, "MACs")):
        for _, rows in trials.groupby(keys, sort=False, dropna=False):
            unlike = rows[rows[cost] != rows[cost].iloc[0]]
            if unlike.empty:
                continue
            first, other = rows.iloc[0], unlike.iloc[0]
            raise HarnessError(
                f"the trials of {first['variant']} have unlike networks: trial {first['trial']} (seed {first['seed']}) "
                f"has {int(first[cost]):,} {name}, and trial {other['trial']} (seed "
                f"{other['seed']}) has {int(other[cost]):,}",
                where=where,
                remedy=remedy,
            )


def _require_valid_errors(epochs: pd.DataFrame, where: str) -> None:
    for key in EVALUATED_ERRORS:
        values = epochs[key]
        is_invalid = (values < 0) | (values > 100) | np.isinf(values)
        _refuse(epochs[is_invalid], f"{key} is not a percentage", where, with_epoch=True)
    last = epochs.drop_duplicates("trial", keep="last")
    finished = last[last["outcome"] == TrialStatus.FINISHED]
    for key in EVALUATED_ERRORS:
        # Every trial has its online training error; the other errors are measured in all trials or in none.
        if key == ONLINE_TRAINING_ERROR or finished[key].notna().any():
            _refuse(finished[finished[key].isna()], f"its last epoch has no {key}, although it did not diverge", where)


def _refuse(rows: pd.DataFrame, problem: str, where: str, with_epoch: bool = False) -> None:
    """Raise an error about the first of the rows, if there is any."""
    if rows.empty:
        return
    first = rows.iloc[0]
    epoch = f", epoch {first['epoch']}" if with_epoch else ""
    raise HarnessError(
        f"trial {first['trial']} ({first['variant']} seed {first['seed']}{epoch}): {problem}{_count_rows(rows)}",
        where=where,
        remedy=REMEDY,
    )


def _count_rows(rows: pd.DataFrame) -> str:
    trials = rows["trial"].nunique()
    return f"; this holds for {len(rows):,} rows of {trials:,} trial{'s' * (trials > 1)}" if len(rows) > 1 else ""
