"""The time until each trial first reaches a declared error, with trials that never reach it censored.

Errors are known only where they were evaluated, so a time is that of the first evaluated epoch with the error or less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.specs.experiment.targets import Target, Unit
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS
from harness.tracking.metrics import TRAINING_SECONDS


@dataclass(frozen=True)
class TargetTime:
    """When one trial reached a target, or until when it did not.

    Attributes:
        reached: Whether it reached the target. If not, its times are those at the end of its budget: it is censored
            there, and its true time is longer.
        epochs: Epochs until then. Infinite for a diverged trial, which no further epoch would have brought there.
        seconds: Seconds on the training clock until then; NaN if they were not recorded.
        is_exclusive: Whether no other trial used its device, so that its seconds may be compared.
        conditions: Hardware, software and settings; seconds are compared only between trials with equal ones.
    """

    variant: str
    seed: int
    reached: bool
    epochs: float
    seconds: float
    is_exclusive: bool
    conditions: tuple[str, ...]

    def time(self, unit: Unit) -> float:
        """Return the time in a unit; NaN where it is not known, and for seconds of a device that was shared."""
        if unit == "epochs":
            return self.epochs
        return self.seconds if self.is_exclusive else math.nan


def find_target_times(epochs: pd.DataFrame, target: Target) -> list[TargetTime]:
    """Return the time to a target of every trial in the table, in the order of the table.

    A trial without any value of the metric is left out.

    Args:
        epochs: Rows (trial, epoch) as in :attr:`Results.epochs`.
    """
    times = []
    for _, rows in epochs.groupby("trial", sort=False):
        evaluated = rows[rows[target.metric].notna()]
        is_diverged = rows["outcome"].iloc[0] == TrialStatus.DIVERGED
        if not len(evaluated) and not is_diverged:
            continue
        # Rounding: an error is a share of images in percent, and the target a decimal number.
        hits = evaluated[evaluated[target.metric] <= target.value + 1e-9]
        reached, last = len(hits) > 0, rows.iloc[-1]
        at = hits.iloc[0] if reached else last
        never = not reached and is_diverged
        times.append(
            TargetTime(
                variant=str(last["variant"]),
                seed=int(last["seed"]),
                reached=reached,
                epochs=math.inf if never else float(at["epoch"]),
                seconds=math.inf if never else _seconds_at(rows, int(at["epoch"])),
                is_exclusive=not bool(last["shared"]),
                conditions=tuple(str(last[key]) for key in CONDITIONS),
            )
        )
    return times


def _seconds_at(rows: pd.DataFrame, epoch: int) -> float:
    """Return the training clock at the end of an epoch; 0 before the first update."""
    if epoch == 0:
        return 0.0
    values = rows.loc[rows["epoch"] == epoch, TRAINING_SECONDS].to_numpy(dtype=np.float64)
    return float(values[0]) if len(values) else math.nan
