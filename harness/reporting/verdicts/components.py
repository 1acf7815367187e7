"""The pieces that a verdict rests on: one contrast of cells, measured in one or both training errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.reporting.series import values_by_seed
from harness.reporting.statistics.estimates import CONFIDENCE, OPPOSITE_SIDE, Comparison, Estimate, Side, binomial_interval, require_finite, estimate_mean, compare_pairs, sign_flip_p_value, compare_groups, welch_p_value
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS

SEEDS_FOR_INTERVALS = 5
"""Fewest seeds at which an interval is shown at all."""
SeedValues = Mapping[int, float]
"""Last-epoch errors of one variant in percent, by seed."""


@dataclass(frozen=True)
class EffectTest:
    """A contrast in one error measure; percentage points.

    Attributes:
        error: Key of the metric.
        comparison: None where a cell is empty.
        low: Of the 95 % interval that is shown; None below 5 seeds.
        binomial: Whether that interval is the exact one over images, because all seeds agree.
        p: That the claim holds; None below 8 seeds, as is the next.
        p_opposite: That its opposite holds; None where it has none.
    """

    error: str
    comparison: Comparison | None
    low: float | None
    high: float | None
    binomial: bool
    p: float | None
    p_opposite: float | None

    @property
    def n(self) -> int:
        """Pairs, or the smallest group where pairs are missing."""
        return self.comparison.n if self.comparison else 0

    @property
    def effect(self) -> float | None:
        """A minus B."""
        return self.comparison.effect if self.comparison else None


@dataclass(frozen=True)
class Component:
    """One contrast of a verdict, in every error measure that has to agree.

    Attributes:
        name: ``plain``, ``residual``, ``interaction`` or ``difference``.
        label: What is subtracted from what.
        side: Of ``threshold`` on which the effect is claimed to lie.
        opposite: Threshold beyond which, on the other side, the opposite is established.
        smallest: Distance from the threshold that is worth seeing, percentage points.
    """

    name: str
    label: str
    side: Side
    threshold: float
    opposite: float
    smallest: float
    measures: tuple[EffectTest, ...]

    @property
    def deciding(self) -> EffectTest:
        """The measure that speaks for the claim least: fewer pairs, then the larger p, then the weaker effect."""
        return max(self.measures, key=lambda m: (-m.n, m.p if m.p is not None else -1.0, -self._strength(m)))

    @property
    def opposing(self) -> EffectTest:
        """The measure that speaks for the opposite least."""
        return max(
            self.measures, key=lambda m: (-m.n, m.p_opposite if m.p_opposite is not None else -1.0, self._strength(m))
        )

    def _strength(self, measured: EffectTest) -> float:
        """Points by which the effect lies on the claimed side; exact p values tie often."""
        effect = measured.effect or 0.0
        return {"greater": effect, "less": -effect, "two-sided": abs(effect)}[self.side]

    @property
    def n(self) -> int:
        """Of the measure that has fewer."""
        return min(m.n for m in self.measures)

    @property
    def p(self) -> float | None:
        """The larger p of its measures; None where one of them has none."""
        return None if any(m.p is None for m in self.measures) else self.deciding.p

    @property
    def p_opposite(self) -> float | None:
        """The larger p of the opposite; None where one measure has none."""
        return None if any(m.p_opposite is None for m in self.measures) else self.opposing.p_opposite

    def limited_by_images(self, level: float) -> bool:
        """Whether it is not established at ``level`` in a measure where all seeds agree: more of them tell nothing."""
        return any(m.binomial and (m.p is None or m.p > level) for m in self.measures)

    @property
    def claim(self) -> str:
        """The claim about the effect, such as ``> 0``."""
        sign = {"less": "<", "greater": ">", "two-sided": "≠"}[self.side]
        return f"{sign} {self.threshold:g}"


def cell(final: pd.DataFrame, variant: str, error: str, without: frozenset[int]) -> dict[int, float]:
    """One variant's last-epoch ``error`` in percent by seed, seeds ``without`` left out."""
    return {seed: value for seed, value in values_by_seed(final, variant, error).items() if seed not in without}


def compare_and_test(
    error: str, a: Sequence[SeedValues], b: Sequence[SeedValues], side: Side, threshold: float, opposite: float, data: DataInfo
) -> EffectTest:
    """Compare A with B, each one cell, or two cells of which the second is subtracted from the first.

    By pairs where every seed has its partner in all cells, else by Welch's test on what each cell holds.
    """
    cells = [*a, *b]
    if not all(cells):
        return EffectTest(error, None, None, None, False, None, None)
    weights = [1.0, -1.0] if len(cells) == 2 else [1.0, -1.0, -1.0, 1.0]
    seeds = sorted(set.intersection(*(set(c) for c in cells)))
    whole = len(seeds) == len(set.union(*(set(c) for c in cells)))
    back = OPPOSITE_SIDE.get(side)
    if whole:
        left = [a[0][s] - (a[1][s] if len(a) > 1 else 0.0) for s in seeds]
        right = [b[0][s] - (b[1][s] if len(b) > 1 else 0.0) for s in seeds]
        result = compare_pairs(left, right)
        differences = require_finite(left) - require_finite(right)
        p = sign_flip_p_value(differences, side, threshold)
        p_back = sign_flip_p_value(differences, back, opposite) if back else None
    else:
        groups = [list(c.values()) for c in cells]
        result = compare_groups(groups, weights)
        p = welch_p_value(groups, weights, side, threshold)
        p_back = welch_p_value(groups, weights, back, opposite) if back else None
    low, high, binomial = result.low, result.high, False
    if result.sd is not None and result.sd < 1e-9:
        low, high = interval_over_images(cells, weights, count_images(error, data))
        binomial = low is not None
    if binomial and low is not None and high is not None:
        # Seeds that all agree say nothing of the images: the interval over these has to clear the threshold too.
        p = p if _beyond(side, threshold, low, high) else 1.0
        p_back = p_back if back is None or _beyond(back, opposite, low, high) else 1.0
    if result.n < SEEDS_FOR_INTERVALS:
        low, high, binomial = None, None, False
    if result.n < SEEDS_FOR_CLAIMS:
        return EffectTest(error, result, low, high, binomial, None, None)
    return EffectTest(error, result, low, high, binomial, p, p_back)


def _beyond(side: Side, threshold: float, low: float, high: float) -> bool:
    """Whether an interval lies on the claimed side of a threshold as a whole."""
    above, below = low > threshold, high < threshold
    return {"greater": above, "less": below, "two-sided": above or below}[side]


def count_images(error: str, data: DataInfo) -> int:
    """How many images an error is counted over."""
    return {"train": data.train, "val": data.val, "test": data.test}[error.partition("/")[0]]


def interval_over_images(cells: Sequence[SeedValues], weights: Sequence[float], total: int) -> tuple[float | None, float | None]:
    """Interval over images, in points, of a difference between cells in each of which all seeds agree.

    Exact intervals of the cells, at a level shared among them, are added up: conservative. None where a cell
    has spread (only the differences agree), since no single count of images stands for it then.
    """
    confidence, low, high = 1 - (1 - CONFIDENCE) / len(cells), 0.0, 0.0
    for values, weight in zip(cells, weights, strict=True):
        estimate = estimate_mean(list(values.values()))
        if not math.isclose(estimate.min, estimate.max, rel_tol=1e-12, abs_tol=1e-12):
            return None, None
        bounds = [weight * x for x in binomial_interval(round(estimate.mean * total / 100), total, confidence)]
        low, high = low + min(bounds), high + max(bounds)
    return low, high


@dataclass(frozen=True)
class ErrorInterval:
    """A 95 % interval of one variant's error, within 0 to 100 percent; ``binomial`` where it is over images."""

    low: float
    high: float
    binomial: bool


def select_error_interval(estimate: Estimate, error: str, data: DataInfo) -> ErrorInterval | None:
    """The interval that a report shows: none below 5 seeds, over images where all seeds agree, else Student's t."""
    if estimate.n < SEEDS_FOR_INTERVALS or estimate.low is None or estimate.high is None:
        return None
    if estimate.agree:
        total = count_images(error, data)
        return ErrorInterval(*binomial_interval(round(estimate.mean * total / 100), total), True)
    return ErrorInterval(max(estimate.low, 0.0), min(estimate.high, 100.0), False)
