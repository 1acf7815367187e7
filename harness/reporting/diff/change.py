"""The change of one variant's error or time from OLD to NEW, and the rule that calls it better or worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from harness.reporting.formatting import format_quantity
from harness.reporting.statistics.multiple_testing import adjust_p_values
from harness.reporting.statistics.seed_values import SeedValues

ChangeState = Literal["worse", "better", "no change shown", "not tested"]
SIDES = ("OLD", "NEW")
"""How messages call the two results."""
LastEpochs = tuple[pd.DataFrame, pd.DataFrame]
"""The last epoch of every trial, in OLD and in NEW."""


@dataclass(frozen=True)
class Change:
    """The change of one variant in one metric. All text is plain, not Markdown.

    Attributes:
        variant: Name of the variant.
        measure: Key of the metric.
        old: Mean over seeds (for a measured cost over processes): an error in percent, a time in seconds.
        new: The same mean in NEW.
        effect: For an error NEW - OLD in percentage points; for a time NEW / OLD - 1 in percent.
        low: Lower end of the effect's 95 % interval; None below 5 seeds.
        high: Upper end of that interval.
        n: Number of pairs of seeds; without a common seed, the size of the smaller group.
        method: ``paired``, ``welch`` (no common seed), or ``processes`` (Welch's test over the processes of
            ``harness bench``).
        p: Two-sided p value under the hypothesis of no change; None if n is too small for a test.
        p_adjusted: ``p`` after Holm's correction.
        notes: Facts that a reader must know about the change.
    """

    variant: str
    measure: str
    old: float
    new: float
    effect: float
    low: float | None
    high: float | None
    n: int
    method: str
    p: float | None
    p_adjusted: float | None = None
    state: ChangeState = "not tested"
    notes: tuple[str, ...] = ()


def match_seeds(old: SeedValues, new: SeedValues) -> tuple[tuple[SeedValues, SeedValues], list[str]]:
    """Return the values to compare, by seed, with a note if some seeds are left out.

    Common seeds are compared in pairs, and all others are left out. Without a common seed the sides are two groups.
    """
    common = sorted(old.keys() & new.keys())
    unmatched = len(old) + len(new) - 2 * len(common)
    if not unmatched or not common:
        return (old, new), []
    pairs = {seed: old[seed] for seed in common}, {seed: new[seed] for seed in common}
    return pairs, [f"{format_quantity(unmatched, 'trial')} without a partner left out"]


def classify_changes(changes: Sequence[Change], level: float, smallest: float) -> tuple[Change, ...]:
    """Return the changes with their adjusted p values and their states.

    A change is better or worse if its p after Holm's correction is at most ``level`` and its size at least
    ``smallest``. The correction counts the changes that have a p value.
    """
    tested = [index for index, change in enumerate(changes) if change.p is not None]
    adjusted = dict(zip(tested, adjust_p_values([changes[index].p or 0.0 for index in tested]), strict=True))
    classified = []
    for index, change in enumerate(changes):
        if index not in adjusted:
            classified.append(change)
            continue
        is_change = adjusted[index] <= level and abs(change.effect) >= smallest
        state: ChangeState = "no change shown" if not is_change else "worse" if change.effect > 0 else "better"
        classified.append(replace(change, p_adjusted=adjusted[index], state=state))
    return tuple(classified)
