"""The test of one effect between variants in one metric, over the pairs of seeds that both sides have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.reporting.statistics.comparisons import Comparison, compare_pairs
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS, count_images, interval_over_images
from harness.reporting.statistics.intervals import Floats
from harness.reporting.statistics.seed_values import SeedValues, list_common_seeds
from harness.reporting.verdicts.outcomes import Bound, distance_beyond
from harness.specs.experiment.data import DataInfo
from harness.tracking.metrics import TRAINING_ERRORS


@dataclass(frozen=True)
class EffectTest:
    """One effect A - B in one metric, with a p for each bound that an outcome puts on it.

    The p values are those at the stage that decides; the estimate is over all recorded pairs.

    Attributes:
        metric: Key of the metric, such as ``test/error``.
        comparison: The estimated effect over all pairs; None where there is no pair.
        low: Lower end of the 95 % interval that a report shows; None below 5 pairs and where no interval holds.
        high: Upper end of that interval.
        over_images: Whether that interval is the exact one over test images, because all seeds have the same error.
        differences: A - B by seed, in the declared order of seeds.
        p: p of each bound by the sign-flip test; empty below 8 pairs.
        robust_p: p by the robust test of each bound that a long tail of the differences points away from.
        is_order: Whether a difference is only the order of its pair, -1, 0 or 1. That is symmetric where a and b do not
            differ, so no skew is looked for.
    """

    metric: str
    comparison: Comparison | None
    low: float | None
    high: float | None
    over_images: bool
    differences: Mapping[int, float] = field(default_factory=dict)
    p: Mapping[Bound, float] = field(default_factory=dict)
    robust_p: Mapping[Bound, float] = field(default_factory=dict)
    is_order: bool = False

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.differences)

    @property
    def effect(self) -> float | None:
        """The estimated A - B; None where there is no pair."""
        return self.comparison.effect if self.comparison else None

    def is_limited_by_images(self, bound: Bound) -> bool:
        """Return whether all seeds have one test error, and its interval over images does not lie beyond ``bound``.

        Equal errors in all seeds say nothing about the images, so the bound is not established there.
        """
        if not self.over_images or self.low is None or self.high is None:
            return False
        nearest = self.high if bound[0] == "less" else self.low
        return distance_beyond(bound, nearest) <= 0


def collect_common_differences(tests: Sequence[EffectTest]) -> Floats:
    """Return the differences (pairs, tests) of the seeds that all tests have."""
    seeds = list_common_seeds([test.differences for test in tests])
    return np.array([[test.differences[seed] for test in tests] for seed in seeds]).reshape(len(seeds), len(tests))


def compare_cells(
    metric: str, a: Sequence[SeedValues], b: Sequence[SeedValues], seeds: Sequence[int], data: DataInfo
) -> EffectTest:
    """Estimate the effect A - B over the seeds that all cells have. A pair of which one side was lost is dropped.

    Args:
        a: One cell, or two cells of which the second is subtracted from the first. A cell is one variant's values.
        b: As many cells as ``a``.
        seeds: The declared seeds, in their declared order.
    """
    values = [*a, *b]
    common = set(list_common_seeds(values))
    paired = [seed for seed in seeds if seed in common]
    if not paired:
        return EffectTest(metric, None, None, None, False)
    left = [a[0][s] - (a[1][s] if len(a) > 1 else 0.0) for s in paired]
    right = [b[0][s] - (b[1][s] if len(b) > 1 else 0.0) for s in paired]
    comparison = compare_pairs(left, right)
    low, high, over_images = comparison.low, comparison.high, False
    if comparison.sd is not None and comparison.sd < 1e-9:
        # Without spread the t interval has no width. Memorised training images are no sample, test images are one.
        low, high = None, None
        if metric not in TRAINING_ERRORS:
            weights = [1.0, -1.0] if len(values) == 2 else [1.0, -1.0, -1.0, 1.0]
            in_pairs = [{seed: cell[seed] for seed in paired} for cell in values]
            low, high = interval_over_images(in_pairs, weights, count_images(metric, data))
        over_images = low is not None
    if len(paired) < SEEDS_FOR_INTERVALS:
        low, high, over_images = None, None, False
    differences = {seed: x - y for seed, x, y in zip(paired, left, right, strict=True)}
    return EffectTest(metric, comparison, low, high, over_images, differences)
