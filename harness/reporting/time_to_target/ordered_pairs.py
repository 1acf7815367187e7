"""Pairs of seeds in the order in which they reach a target, as far as that order is known despite censoring."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.specs.experiment.targets import Unit
from harness.tracking.target_times import TargetTime


@dataclass(frozen=True)
class OrderedPairs:
    """The pairs of two variants.

    Attributes:
        order: By seed, -1 where a is earlier, 1 where b is earlier, and 0 where the order is not known or equal.
        ties: Pairs in which both reach the target at the same time.
        both_censored: Pairs in which neither reaches it.
        unknown: Pairs in which the one that reaches it does so after the other one was censored.
        not_comparable: Pairs that are left out, because a device was shared, or hardware or software differs.
    """

    order: Mapping[int, float]
    ties: int = 0
    both_censored: int = 0
    unknown: int = 0
    not_comparable: int = 0

    @property
    def earlier(self) -> int:
        """Pairs in which a is earlier."""
        return sum(value < 0 for value in self.order.values())

    @property
    def later(self) -> int:
        """Pairs in which b is earlier."""
        return sum(value > 0 for value in self.order.values())


def order_pairs(
    a: Mapping[int, TargetTime], b: Mapping[int, TargetTime], seeds: Sequence[int], unit: Unit
) -> OrderedPairs:
    """Return the order of each pair of seeds that both variants have.

    The order is known exactly if the earlier of the two times is reached before either trial is censored. That
    condition treats a and b alike. So if the two do not differ, a is first in half of the pairs with a known order,
    also where one of them has the longer budget: the sign test on these pairs keeps its level.

    Args:
        a: The times of one variant by seed.
        seeds: The declared seeds, in their declared order.
    """
    order: dict[int, float] = {}
    counts = {"ties": 0, "both_censored": 0, "unknown": 0, "not_comparable": 0}
    for seed in seeds:
        if seed not in a or seed not in b:
            continue
        x, y = a[seed], b[seed]
        if unit == "seconds" and not _has_comparable_seconds(x, y):
            counts["not_comparable"] += 1
            continue
        order[seed], reason = _compare(x, y, unit)
        if reason:
            counts[reason] += 1
    return OrderedPairs(order, **counts)


def _has_comparable_seconds(x: TargetTime, y: TargetTime) -> bool:
    times = (x.time("seconds"), y.time("seconds"))
    return x.conditions == y.conditions and not any(math.isnan(time) for time in times)


def _compare(x: TargetTime, y: TargetTime, unit: Unit) -> tuple[float, str]:
    """Return the order of one pair, and why it has none."""
    if not x.reached and not y.reached:
        return 0.0, "both_censored"
    tx, ty = x.time(unit), y.time(unit)
    if x.reached and y.reached:
        return (0.0, "ties") if tx == ty else (math.copysign(1.0, tx - ty), "")
    if x.reached:
        # y did not reach it up to and including its last evaluation.
        return (-1.0, "") if tx <= ty else (0.0, "unknown")
    return (1.0, "") if ty <= tx else (0.0, "unknown")
