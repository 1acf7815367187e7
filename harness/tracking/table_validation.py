"""What a results table must hold before anything is concluded from it: files are edited, joined and cut."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.errors import HarnessError
from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import EVALUATED_ERRORS

REMEDY = "Give a results.csv that `harness report` wrote, unchanged; `harness report NAME` writes it from the record."


def require_sound(study: ResolvedExperiment, epochs: pd.DataFrame, where: str) -> None:
    """Refuse a table from which a wrong conclusion would be drawn.

    Args:
        epochs: One row per trial and epoch, of the columns that :class:`harness.tracking.results_table.Results` has.
        where: The file.

    Raises:
        HarnessError: A trial stands there twice or is of no declared variant or seed, or an error is not a number
            between 0 and 100 where there has to be one.
    """
    _require_declared(study, epochs, where)
    _require_once(epochs, where)
    _require_errors(epochs, where)


def _require_declared(study: ResolvedExperiment, epochs: pd.DataFrame, where: str) -> None:
    named = {variant.name for variant in study.variants}
    _refuse(epochs[~epochs["variant"].isin(list(named))], "its experiment declares no such variant", where)
    _refuse(epochs[~epochs["seed"].isin(study.experiment.seeds)], "its experiment declares no such seed", where)


def _require_once(epochs: pd.DataFrame, where: str) -> None:
    twice = epochs[epochs.duplicated(["trial", "epoch"])]
    _refuse(twice, "the same trial and epoch stand there twice", where, with_epoch=True)
    trials = epochs[["trial", "variant", "seed", "outcome"]].drop_duplicates()
    _refuse(trials[trials.duplicated("trial")], "it is of two variants, seeds or outcomes", where)
    _refuse(trials[trials.duplicated(["variant", "seed"])], "another trial has the same variant and seed", where)


def _require_errors(epochs: pd.DataFrame, where: str) -> None:
    for key in EVALUATED_ERRORS:
        values = epochs[key]
        _refuse(epochs[(values < 0) | (values > 100) | np.isinf(values)], f"{key} is no percentage", where, True)
    last = epochs.drop_duplicates("trial", keep="last")
    finished = last[last["outcome"] == TrialStatus.FINISHED]
    for key in EVALUATED_ERRORS:
        # Online training error is always there; the others were measured in all trials or in none.
        if key == "train/error" or finished[key].notna().any():
            _refuse(finished[finished[key].isna()], f"its last epoch has no {key}, though it did not diverge", where)


def _refuse(rows: pd.DataFrame, why: str, where: str, with_epoch: bool = False) -> None:
    if rows.empty:
        return
    first = rows.iloc[0]
    epoch = f", epoch {first['epoch']}" if with_epoch else ""
    more = _more(len(rows), rows["trial"].nunique())
    raise HarnessError(
        f"trial {first['trial']} ({first['variant']} seed {first['seed']}{epoch}): {why}{more}",
        where=where,
        remedy=REMEDY,
    )


def _more(rows: int, trials: int) -> str:
    return f"; so in {rows:,} rows of {trials:,} trial{'s' * (trials > 1)}" if rows > 1 else ""
