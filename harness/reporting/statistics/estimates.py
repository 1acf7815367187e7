"""Estimates and tests over seeds: arrays in, frozen estimates out. docs/statistics.md says why these.

Arrays hold one number per seed, in the unit of the measured quantity. The functions that a report calls take one
dimension and refuse values that are not finite: what diverged has been scored before it comes here, what is missing
left out. The formulas beneath them work along the last axis of (..., n), so that simulations test these very lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Side = Literal["less", "greater", "two-sided"]
Floats = NDArray[np.float64]
OPPOSITE_SIDE: dict[Side, Side] = {"less": "greater", "greater": "less"}
CONFIDENCE = 0.95
MAX_EXACT_PAIRS = 20
"""Pairs up to which every assignment of signs is visited (2^20 sums)."""
RANDOM_FLIPS = 100_000
"""Random assignments of signs beyond that."""


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
        probability_low: Of the 95 % interval of ``probability``; None where that is, as is the next.
    """

    n: int
    effect: float
    sd: float | None
    low: float | None
    high: float | None
    probability: float | None
    correlation: float | None
    method: Literal["paired", "welch"]
    probability_low: float | None = None
    probability_high: float | None = None


def require_finite(values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as a one-dimensional array of floats.

    Raises:
        ValueError: It is empty, has another shape, or holds a value that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError("expected a non-empty, one-dimensional array of finite numbers")
    return array


def estimate_mean(values: ArrayLike) -> Estimate:
    """Mean of ``values`` (n,) with Student's t interval; the standard deviation has n - 1 below."""
    x = require_finite(values)
    n, mean = x.size, float(x.mean())
    if n == 1:
        return Estimate(1, mean, None, None, None, mean, mean)
    _, sd, low, high = (float(value) for value in t_interval(x))
    return Estimate(n, mean, sd, low, high, float(x.min()), float(x.max()))


def t_interval(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean, standard deviation and both ends of Student's 95 % t interval over the last axis of ``x`` (..., n > 1)."""
    mean, sd = x.mean(axis=-1), x.std(axis=-1, ddof=1)
    half = t_interval_factor(x.shape[-1]) * sd
    return mean, sd, mean - half, mean + half


def _pairs(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = require_finite(a), require_finite(b)
    if x.size != y.size:
        raise ValueError("pairs need as many values on both sides")
    return x, y


@lru_cache(maxsize=1024)
def t_interval_factor(n: int) -> float:
    """Half of the 95 % t interval of a mean of ``n`` values, in their standard deviations."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) / math.sqrt(n)


def estimate_ratio(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Ratio of two times (n,) each, measured in pairs: geometric mean of a / b, t interval on its logarithm.

    Raises:
        ValueError: The lengths differ, or a value is not finite.
    """
    x, y = _pairs(a, b)
    logs = estimate_mean(np.log(x / y))
    low, high = (None if bound is None else math.exp(bound) for bound in (logs.low, logs.high))
    return Estimate(logs.n, math.exp(logs.mean), logs.sd, low, high, math.exp(logs.min), math.exp(logs.max))


def compare_pairs(a: ArrayLike, b: ArrayLike) -> Comparison:
    """``a - b`` (n,) each, the same seed at the same place.

    Raises:
        ValueError: The lengths differ, or a value is not finite.
    """
    x, y = _pairs(a, b)
    difference = estimate_mean(x - y)
    ties = np.isclose(x, y, rtol=1e-12, atol=1e-12)
    lower, tied_pairs = int(np.count_nonzero((x < y) & ~ties)), int(np.count_nonzero(ties))
    tied = estimate_mean(x).agree or estimate_mean(y).agree
    correlation = None if tied or x.size < 3 else float(np.corrcoef(x, y)[0, 1])
    return Comparison(
        difference.n,
        difference.mean,
        difference.sd,
        difference.low,
        difference.high,
        (lower + tied_pairs / 2) / x.size,
        correlation,
        "paired",
        *probability_interval(lower, tied_pairs, x.size),
    )


def sign_flip_p_value(differences: ArrayLike, side: Side, shift: float = 0.0) -> float:
    """p of the sign-flip permutation test that ``differences`` (n,) lie about ``shift``; see :func:`sign_flips`."""
    return float(sign_flip_p_values(require_finite(differences), side, shift))


def sign_flip_p_values(differences: Floats, side: Side, shift: float = 0.0) -> Floats:
    """p of the sign-flip test along the last axis of ``differences`` (..., n).

    Exact over all 2^n signs for n <= 20, beyond that 100,000 random ones of a fixed seed, the observed one
    counted among them. ``less`` with ``shift`` at a margin is the test of non-inferiority. Sums that differ by
    rounding only count as equal, so that tied errors (multiples of one image) stay tied.

    Source: Fisher 1935, The Design of Experiments, section 21; Phipson and Smyth 2010 for the count of one.
    """
    x = differences - shift
    if side == "less":
        x = -x
    n, total = x.shape[-1], x.sum(axis=-1, keepdims=True)
    least = (np.abs(total) if side == "two-sided" else total) - 1e-9 * np.abs(x).sum(axis=-1, keepdims=True)

    def as_extreme(sums: Floats) -> Any:
        return np.count_nonzero((np.abs(sums) if side == "two-sided" else sums) >= least, axis=-1)

    if n <= MAX_EXACT_PAIRS:
        sums = np.zeros_like(total)
        for seed in range(n):
            value = x[..., seed : seed + 1]
            sums = np.concatenate([sums + value, sums - value], axis=-1)
        return np.asarray(as_extreme(sums) / sums.shape[-1])
    generator = np.random.default_rng(0)
    count, batch = 0, 10_000
    for _ in range(RANDOM_FLIPS // batch):
        count = count + as_extreme(x @ generator.choice([-1.0, 1.0], size=(batch, n)).T)
    return np.asarray((count + 1) / (RANDOM_FLIPS + 1))


def compare_groups(groups: Sequence[ArrayLike], weights: Sequence[float]) -> Comparison:
    """The weighted sum of the means of independent ``groups``: (1, -1) for a difference of two.

    For seeds of which some have no partner. Source: Welch 1947; Satterthwaite 1946 for the degrees of freedom.
    """
    arrays = [require_finite(group) for group in groups]
    n = min(x.size for x in arrays)
    if n < 2:
        effect = float(sum(w * x.mean() for w, x in zip(weights, arrays, strict=True)))
        return Comparison(n, effect, None, None, None, None, None, "welch")
    effect, error, low, high = (float(value) for value in welch_interval(arrays, weights))
    return Comparison(n, effect, error * math.sqrt(n), low, high, None, None, "welch")


def welch_p_value(groups: Sequence[ArrayLike], weights: Sequence[float], side: Side, shift: float = 0.0) -> float:
    """p that the weighted sum of means is ``shift``; where no group has spread, that of the sign flips.

    Without spread every pairing gives the same differences, so the sign-flip test applies to any of them.
    """
    arrays = [require_finite(group) for group in groups]
    n = min(x.size for x in arrays)
    if n < 2:
        return 1.0
    effect, error, _ = estimate_weighted_sum(arrays, weights)
    if error == 0:
        return sign_flip_p_value(np.full(n, float(effect)), side, shift)
    return float(welch_p_values(arrays, weights, side, shift))


def welch_interval(groups: Sequence[Floats], weights: Sequence[float]) -> tuple[Floats, Floats, Floats, Floats]:
    """Weighted sum of the means over the last axes of ``groups``, its standard error, the ends of its 95 % interval."""
    effect, error, df = estimate_weighted_sum(groups, weights)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, df) * error
    return effect, error, effect - half, effect + half


def welch_p_values(groups: Sequence[Floats], weights: Sequence[float], side: Side, shift: float = 0.0) -> Floats:
    """p along the last axes of ``groups``, that the weighted sum of means is ``shift``; there must be spread."""
    effect, error, df = estimate_weighted_sum(groups, weights)
    statistic = (effect - shift) / error
    if side == "two-sided":
        return np.asarray(2 * stats.t.sf(np.abs(statistic), df))
    return np.asarray(stats.t.sf(statistic if side == "greater" else -statistic, df))


def estimate_weighted_sum(groups: Sequence[Floats], weights: Sequence[float]) -> tuple[Floats, Floats, Floats]:
    """Weighted sum of the means of ``groups`` (..., n > 1), its standard error and degrees of freedom.

    Without any spread the error is 0 and the degrees of freedom are infinite.
    """
    pairs = list(zip(weights, groups, strict=True))
    effect = np.asarray(sum(w * x.mean(axis=-1) for w, x in pairs))
    parts = [w * w * x.var(axis=-1, ddof=1) / x.shape[-1] for w, x in pairs]
    total = np.asarray(sum(parts))
    spread = total >= 1e-24
    below = np.asarray(sum(part**2 / (x.shape[-1] - 1) for part, (_, x) in zip(parts, pairs, strict=True)))
    df = np.divide(total**2, below, out=np.full(total.shape, np.inf), where=spread)
    return effect, np.where(spread, np.sqrt(total), 0.0), df


def adjust_p_values(ps: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given. Source: Holm 1979."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted


def probability_interval(lower: int, ties: int, n: int) -> tuple[float, float]:
    """95 % interval of P(A < B), ties counted one half, from ``n`` pairs of which A was ``lower`` or tied.

    The exact interval of Clopper and Pearson 1934 at both ends, all ties taken against the claim at the lower one and
    for it at the upper: P(A < B) <= P(A < B) + P(A = B) / 2 <= P(A <= B), so it covers at least as often.
    """
    return binomial_interval(lower, n)[0] / 100, binomial_interval(lower + ties, n)[1] / 100


@lru_cache(maxsize=4096)
def binomial_interval(wrong: int, images: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact interval in percent for ``wrong`` out of ``images``. Source: Clopper and Pearson 1934."""
    interval: Any = stats.binomtest(wrong, images).proportion_ci(confidence_level=confidence, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


def find_pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
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
