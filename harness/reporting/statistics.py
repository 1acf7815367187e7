"""Estimates and tests over seeds: arrays in, frozen estimates out. docs/statistics.md says why these.

All arrays are one-dimensional with one number per seed, in the unit of the measured quantity. Every function
refuses values that are not finite: what diverged has been scored before it comes here, what is missing left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from harness.specs.experiment import SEEDS_FOR_CLAIMS, seeds_to_reach

Side = Literal["less", "greater", "two-sided"]
OPPOSITE: dict[Side, Side] = {"less": "greater", "greater": "less"}
CONFIDENCE = 0.95
EXACT_UP_TO = 20
"""Pairs up to which every assignment of signs is visited (2^20 sums)."""
FLIPS = 100_000
"""Random assignments of signs beyond that."""
POWER = 0.8


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` seeds; ``sd`` and the 95 % interval ``low`` to ``high`` are None for one seed."""

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    min: float
    max: float

    @property
    def agree(self) -> bool:
        """Whether all of several seeds gave the same number, so that a t interval says nothing."""
        return self.n > 1 and math.isclose(self.min, self.max, rel_tol=1e-12, abs_tol=1e-12)


@dataclass(frozen=True)
class Comparison:
    """An effect ``A - B`` with its 95 % interval.

    Attributes:
        n: Pairs; for ``welch`` the size of the smallest group.
        sd: Of one seed's difference; for ``welch`` of independent groups, as if n were the number of pairs.
        probability: P(A < B) over the pairs, ties counted one half; None where there are no pairs.
        correlation: Pearson's, of the pairs; None where one side has no spread, or there are no pairs.
        method: ``paired`` (t interval, sign-flip p) or ``welch`` (t interval and p by Satterthwaite's df).
    """

    n: int
    effect: float
    sd: float | None
    low: float | None
    high: float | None
    probability: float | None
    correlation: float | None
    method: Literal["paired", "welch"]


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as a one-dimensional array of floats.

    Raises:
        ValueError: It is empty, has another shape, or holds a value that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError("expected a non-empty, one-dimensional array of finite numbers")
    return array


def mean_interval(values: ArrayLike) -> Estimate:
    """Mean of ``values`` (n,) with Student's t interval; the standard deviation has n - 1 below."""
    x = finite(values)
    n, mean = x.size, float(x.mean())
    if n == 1:
        return Estimate(1, mean, None, None, None, mean, mean)
    sd = float(x.std(ddof=1))
    half = t_factor(n) * sd
    return Estimate(n, mean, sd, mean - half, mean + half, float(x.min()), float(x.max()))


def t_factor(n: int) -> float:
    """Half of the 95 % t interval of a mean of ``n`` values, in their standard deviations."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) / math.sqrt(n)


def ratio_interval(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Ratio of two times (n,) each, measured in pairs: geometric mean of a / b, t interval on its logarithm.

    Raises:
        ValueError: The lengths differ, or a value is not finite.
    """
    x, y = finite(a), finite(b)
    if x.size != y.size:
        raise ValueError("pairs need as many values on both sides")
    logs = mean_interval(np.log(x / y))
    low, high = (None if bound is None else math.exp(bound) for bound in (logs.low, logs.high))
    return Estimate(logs.n, math.exp(logs.mean), logs.sd, low, high, math.exp(logs.min), math.exp(logs.max))


def paired(a: ArrayLike, b: ArrayLike) -> Comparison:
    """``a - b`` (n,) each, the same seed at the same place.

    Raises:
        ValueError: The lengths differ, or a value is not finite.
    """
    x, y = finite(a), finite(b)
    if x.size != y.size:
        raise ValueError("pairs need as many values on both sides")
    difference = mean_interval(x - y)
    probability = float(np.mean((x < y) + 0.5 * np.isclose(x, y, rtol=1e-12, atol=1e-12) * ~(x < y)))
    tied = mean_interval(x).agree or mean_interval(y).agree
    correlation = None if tied or x.size < 3 else float(np.corrcoef(x, y)[0, 1])
    return Comparison(
        difference.n,
        difference.mean,
        difference.sd,
        difference.low,
        difference.high,
        probability,
        correlation,
        "paired",
    )


def sign_flip_p(differences: ArrayLike, side: Side, shift: float = 0.0) -> float:
    """p of the sign-flip permutation test that ``differences`` (n,) lie about ``shift``.

    Exact over all 2^n signs for n <= 20, beyond that 100,000 random ones of a fixed seed, the observed one
    counted among them. ``less`` with ``shift`` at a margin is the test of non-inferiority. Sums that differ by
    rounding only count as equal, so that tied errors (multiples of one image) stay tied.

    Source: Fisher 1935, The Design of Experiments, section 21; Phipson and Smyth 2010 for the count of one.
    """
    x = finite(differences) - shift
    if side == "less":
        x = -x
    tolerance = 1e-9 * float(np.abs(x).sum())
    observed = abs(float(x.sum())) if side == "two-sided" else float(x.sum())

    def as_extreme(sums: NDArray[np.float64]) -> int:
        return int(np.count_nonzero((np.abs(sums) if side == "two-sided" else sums) >= observed - tolerance))

    if x.size <= EXACT_UP_TO:
        sums = np.zeros(1)
        for value in x:
            sums = np.concatenate([sums + value, sums - value])
        return as_extreme(sums) / sums.size
    generator = np.random.default_rng(0)
    count, batch = 0, 10_000
    for _ in range(FLIPS // batch):
        count += as_extreme(generator.choice([-1.0, 1.0], size=(batch, x.size)) @ x)
    return (count + 1) / (FLIPS + 1)


def welch(groups: Sequence[ArrayLike], weights: Sequence[float]) -> Comparison:
    """The weighted sum of the means of independent ``groups``: (1, -1) for a difference of two.

    For seeds of which some have no partner. Source: Welch 1947; Satterthwaite 1946 for the degrees of freedom.
    """
    arrays = [finite(group) for group in groups]
    effect = float(sum(w * x.mean() for w, x in zip(weights, arrays, strict=True)))
    n = min(x.size for x in arrays)
    error, df = _standard_error(arrays, weights)
    if error is None:
        return Comparison(n, effect, None, None, None, None, None, "welch")
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, df)) * error if error > 0 else 0.0
    sd = error * math.sqrt(n)
    return Comparison(n, effect, sd, effect - half, effect + half, None, None, "welch")


def welch_p(groups: Sequence[ArrayLike], weights: Sequence[float], side: Side, shift: float = 0.0) -> float:
    """p that the weighted sum of means is ``shift``; where no group has spread, that of the sign flips.

    Without spread every pairing gives the same differences, so the sign-flip test applies to any of them.
    """
    arrays = [finite(group) for group in groups]
    result = welch(arrays, weights)
    error, df = _standard_error(arrays, weights)
    if error is None:
        return 1.0
    if error == 0:
        return sign_flip_p(np.full(result.n, result.effect), side, shift)
    statistic = (result.effect - shift) / error
    if side == "two-sided":
        return float(2 * stats.t.sf(abs(statistic), df))
    return float(stats.t.sf(statistic if side == "greater" else -statistic, df))


def _standard_error(arrays: Sequence[NDArray[np.float64]], weights: Sequence[float]) -> tuple[float | None, float]:
    if min(x.size for x in arrays) < 2:
        return None, 0.0
    parts = [w * w * float(x.var(ddof=1)) / x.size for w, x in zip(weights, arrays, strict=True)]
    total = sum(parts)
    if total < 1e-24:
        return 0.0, math.inf
    return math.sqrt(total), total**2 / sum(part**2 / (x.size - 1) for part, x in zip(parts, arrays, strict=True))


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given. Source: Holm 1979."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted


def binomial_interval(wrong: int, images: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact interval in percent for ``wrong`` out of ``images``. Source: Clopper and Pearson 1934."""
    interval: Any = stats.binomtest(wrong, images).proportion_ci(confidence_level=confidence, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other one beats: none is as low in one and lower in the other; by rising x, then y.

    Args:
        points: (cost, error), lower is better in both. Equal points are all on the front, or none is.
    """
    order = sorted(range(len(points)), key=lambda index: points[index])
    front: list[int] = []
    for index in order:
        best = points[front[-1]] if front else None
        if best is None or points[index][1] < best[1] or points[index] == best:
            front.append(index)
    return front


def seeds_needed(sd: float, effect: float, level: float, two_sided: bool = False) -> int:
    """Pairs for a power of 0.8 to see a true ``effect`` at the spread ``sd`` of one difference; at least 8.

    Args:
        sd: Standard deviation of one seed's difference, same unit as ``effect``.
        effect: Smallest effect of interest, above 0.
        level: One-sided, after any correction; halved where ``two_sided``.

    By the noncentral t distribution. Source: Cohen 1988, Statistical Power Analysis, chapter 2.
    """
    level = level / 2 if two_sided else level
    least = max(SEEDS_FOR_CLAIMS, seeds_to_reach(level, 1))
    if sd <= 0:
        return least
    ratio = effect / sd
    n = max(least, math.floor(((stats.norm.ppf(1 - level) + stats.norm.ppf(POWER)) / ratio) ** 2))
    while stats.nct.sf(stats.t.ppf(1 - level, n - 1), n - 1, ratio * math.sqrt(n)) < POWER:
        n += 1
    return n
