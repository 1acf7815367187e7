"""The Kaplan-Meier estimate of the time to a target, in which trials that do not reach it are censored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TimeSummary:
    """The times to a target of one variant.

    Attributes:
        reached: Trials that reached the target.
        n: All trials.
        median: Kaplan-Meier estimate of the median time; None where fewer than half of the trials reach the target.
        first: Shortest time of a trial that reached it; None where none did.
        last: Longest time of a trial that reached it. Trials that did not reach it took longer.
    """

    reached: int
    n: int
    median: float | None
    first: float | None
    last: float | None


def summarise_times(times: Sequence[float], reached: Sequence[bool]) -> TimeSummary:
    """Return the summary of times (n,), of which those that did not reach the target are censored.

    A censored trial is never averaged as if it had reached the target: it counts among those at risk until the end of
    its budget. The median is the first time at which the estimated share of trials still waiting is at most one half.
    Where fewer than half of the trials reach the target there is none, although the estimate may fall to one half: slow
    machines have long budgets in seconds, and after the end of the others' budgets it would rest on them alone.

    Source: Kaplan and Meier 1958. At one time, trials that reach the target come before those that are censored.
    """
    values, events = np.asarray(times, dtype=np.float64), np.asarray(reached, dtype=bool)
    waiting, median = 1.0, None
    for time in np.unique(values[events]):
        at_risk = np.count_nonzero(values >= time)
        waiting *= 1 - np.count_nonzero((values == time) & events) / at_risk
        if waiting <= 0.5 + 1e-12 and 2 * np.count_nonzero(events) >= len(values):
            median = float(time)
            break
    hits = values[events]
    return TimeSummary(
        reached=int(events.sum()),
        n=len(values),
        median=median,
        first=float(hits.min()) if hits.size else None,
        last=float(hits.max()) if hits.size else None,
    )
