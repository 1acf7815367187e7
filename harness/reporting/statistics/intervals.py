"""Means over seeds with Student's t interval.

An array holds one number per seed, in the unit of the measured quantity. Functions for a report take one dimension and
refuse values that are not finite: diverged trials have been scored before, missing ones have been left out. The
formulas themselves work along the last axis of (..., n), so that simulations can test them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
"""Confidence of every interval in a report."""


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` seeds, with its spread and range.

    Attributes:
        sd: Standard deviation over seeds, with n - 1 in the denominator; None for one seed.
        low: Lower end of the 95 % t interval; None for one seed.
        high: Upper end of that interval; None for one seed.
        min: Smallest value of a seed.
        max: Largest value of a seed.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    min: float
    max: float

    @property
    def has_no_spread(self) -> bool:
        """Whether several seeds gave the same number, so that a t interval has no width."""
        return self.n > 1 and math.isclose(self.min, self.max, rel_tol=1e-12, abs_tol=1e-12)


def require_finite(values: ArrayLike) -> Floats:
    """Return ``values`` as a one-dimensional array of floats.

    Raises:
        ValueError: ``values`` is empty, has another shape, or holds a number that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError("expected a non-empty, one-dimensional array of finite numbers")
    return array


def require_pairs(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Return both sides of a paired comparison as arrays of floats.

    Raises:
        ValueError: The lengths differ, or a value is not finite.
    """
    x, y = require_finite(a), require_finite(b)
    if x.size != y.size:
        raise ValueError(f"pairs need equal lengths, and these are {x.size} and {y.size}")
    return x, y


def estimate_mean(values: ArrayLike) -> Estimate:
    """Return the mean of ``values`` (n,) with Student's t interval.

    Raises:
        ValueError: ``values`` is empty, or one of them is not finite.
    """
    x = require_finite(values)
    n, mean = x.size, float(x.mean())
    if n == 1:
        return Estimate(1, mean, None, None, None, mean, mean)
    _, sd, low, high = (float(value) for value in t_interval(x))
    return Estimate(n, mean, sd, low, high, float(x.min()), float(x.max()))


def t_interval(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return mean, standard deviation, and both ends of Student's 95 % t interval.

    Args:
        x: Values of shape (..., n) with n > 1. The results have the shape (...).
    """
    mean, sd = x.mean(axis=-1), x.std(axis=-1, ddof=1)
    half_width = t_interval_factor(x.shape[-1]) * sd
    return mean, sd, mean - half_width, mean + half_width


@lru_cache(maxsize=1024)
def t_interval_factor(n: int) -> float:
    """Return half the width of the 95 % t interval of a mean of ``n`` values, in units of their standard deviation."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) / math.sqrt(n)


def estimate_ratio(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Return the geometric mean of a / b over pairs of times (n,), with the t interval of its logarithm.

    ``sd`` is the standard deviation of the logarithms; all other fields are ratios.

    Raises:
        ValueError: The lengths differ, or a value is not finite.
    """
    x, y = require_pairs(a, b)
    logs = estimate_mean(np.log(x / y))
    low, high = (None if end is None else math.exp(end) for end in (logs.low, logs.high))
    return Estimate(logs.n, math.exp(logs.mean), logs.sd, low, high, math.exp(logs.min), math.exp(logs.max))
