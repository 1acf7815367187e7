"""The test of an effect between variants in one error: paired where every seed has its partner, else Welch's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.reporting.statistics.comparisons import OPPOSITE_SIDE, Comparison, Side, compare_pairs
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS, count_images, interval_over_images
from harness.reporting.statistics.intervals import require_finite
from harness.reporting.statistics.seed_values import SeedValues
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.reporting.statistics.welch_test import compare_groups, welch_p_value
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS


@dataclass(frozen=True)
class EffectTest:
    """The test of one effect A - B in one error, in percentage points.

    Attributes:
        metric: Key of the error, such as ``test/error``.
        comparison: The estimated effect; None where a variant has no value.
        low: Lower end of the 95 % interval that a report shows; None below 5 seeds.
        high: Upper end of that interval.
        over_images: Whether that interval is the exact one over images, because all seeds have the same error.
        p: p value of the claim; None below 8 seeds.
        p_opposite: p value of the opposite claim; None below 8 seeds, and where the claim is two-sided.
    """

    metric: str
    comparison: Comparison | None
    low: float | None
    high: float | None
    over_images: bool
    p: float | None
    p_opposite: float | None

    @property
    def n(self) -> int:
        """Number of pairs, or the size of the smallest group where pairs are incomplete."""
        return self.comparison.n if self.comparison else 0

    @property
    def effect(self) -> float | None:
        """The estimated A - B; None where a variant has no value."""
        return self.comparison.effect if self.comparison else None


def compare_and_test(
    metric: str,
    a: Sequence[SeedValues],
    b: Sequence[SeedValues],
    side: Side,
    threshold: float,
    opposite_threshold: float,
    data: DataInfo,
) -> EffectTest:
    """Estimate the effect A - B and test the claim that it lies on ``side`` of ``threshold``.

    Args:
        a: One cell, or two cells of which the second is subtracted from the first. A cell is one variant's errors.
        b: As many cells as ``a``.
        opposite_threshold: The opposite claim is that the effect lies beyond it, on the other side.
    """
    cells = [*a, *b]
    if not all(cells):
        return EffectTest(metric, None, None, None, False, None, None)
    weights = [1.0, -1.0] if len(cells) == 2 else [1.0, -1.0, -1.0, 1.0]
    seeds = sorted(set.intersection(*(set(cell) for cell in cells)))
    is_paired = len(seeds) == len(set.union(*(set(cell) for cell in cells)))
    opposite_side = OPPOSITE_SIDE.get(side)
    p: float | None
    if is_paired:
        left = [a[0][s] - (a[1][s] if len(a) > 1 else 0.0) for s in seeds]
        right = [b[0][s] - (b[1][s] if len(b) > 1 else 0.0) for s in seeds]
        comparison = compare_pairs(left, right)
        differences = require_finite(left) - require_finite(right)
        p = sign_flip_p_value(differences, side, threshold)
        p_opposite = sign_flip_p_value(differences, opposite_side, opposite_threshold) if opposite_side else None
    else:
        groups = [list(cell.values()) for cell in cells]
        comparison = compare_groups(groups, weights)
        p = welch_p_value(groups, weights, side, threshold)
        p_opposite = welch_p_value(groups, weights, opposite_side, opposite_threshold) if opposite_side else None
    low, high, over_images = comparison.low, comparison.high, False
    if comparison.sd is not None and comparison.sd < 1e-9:
        low, high = interval_over_images(cells, weights, count_images(metric, data))
        over_images = low is not None
    if over_images and low is not None and high is not None:
        # Equal errors in all seeds say nothing about the images: the interval over images must pass the threshold too.
        p = p if _lies_beyond(side, threshold, low, high) else 1.0
        if opposite_side and not _lies_beyond(opposite_side, opposite_threshold, low, high):
            p_opposite = 1.0
    if comparison.n < SEEDS_FOR_INTERVALS:
        low, high, over_images = None, None, False
    if comparison.n < SEEDS_FOR_CLAIMS:
        p = p_opposite = None
    return EffectTest(metric, comparison, low, high, over_images, p, p_opposite)


def _lies_beyond(side: Side, threshold: float, low: float, high: float) -> bool:
    """Return whether the whole interval lies on the claimed side of ``threshold``."""
    is_above, is_below = low > threshold, high < threshold
    return {"greater": is_above, "less": is_below, "two-sided": is_above or is_below}[side]
