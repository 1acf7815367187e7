"""The mean of one effect over several data sets, which are a sample of the data sets that one could have taken.

Each data set has an effect of its own, known up to its standard error. The effects scatter around a mean with a
standard deviation tau. The method is that of random-effects meta-analysis: tau by Paule and Mandel 1982, the interval
of the mean by Hartung and Knapp 2001 and Sidik and Jonkman 2002, in the modification that never makes it narrower than
the standard errors allow (Rover, Knapp and Friede 2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from harness.reporting.statistics.intervals import CONFIDENCE, require_pairs

MOST_HALVINGS = 100
"""Steps of the bisection for tau; each halves its interval."""


@dataclass(frozen=True)
class RandomEffects:
    """A mean effect over data sets, with its interval and the interval for the effect on another data set.

    Attributes:
        n: Number of data sets.
        mean: The mean effect.
        low: Lower end of its 95 % interval, a t interval with n - 1 degrees of freedom.
        high: Upper end of that interval.
        tau: Estimated standard deviation of the true effects between data sets.
        next_low: Lower end of the 95 % prediction interval: where the effect on one more data set is expected.
        next_high: Upper end of that interval. Both are infinite with two data sets.
    """

    n: int
    mean: float
    low: float
    high: float
    tau: float
    next_low: float
    next_high: float


def estimate_random_effects(effects: Sequence[float], errors: Sequence[float]) -> RandomEffects | None:
    """Return the mean of the effects on several data sets; None for fewer than two data sets.

    Args:
        effects: The effect on each data set (n,).
        errors: Its standard error over seeds, above zero (n,).

    Raises:
        ValueError: The lengths differ, a number is not finite, or a standard error is not above zero.
    """
    y, se = require_pairs(effects, errors)
    if (se <= 0).any():
        raise ValueError("a standard error must be above zero")
    if y.size < 2:
        return None
    tau2 = estimate_tau_squared(y, se)
    weights = 1 / (se**2 + tau2)
    mean = float((weights * y).sum() / weights.sum())
    # Where the effects agree better than their standard errors, the factor of 1 keeps the interval honest.
    spread = max(1.0, float((weights * (y - mean) ** 2).sum() / (y.size - 1)))
    variance = spread / float(weights.sum())
    half = _t_factor(y.size - 1) * math.sqrt(variance)
    # Tau is estimated too, which costs a degree of freedom (Higgins, Thompson and Spiegelhalter 2009). Two data sets
    # leave none, so nothing is known about another one.
    next_half = _t_factor(y.size - 2) * math.sqrt(tau2 + variance) if y.size > 2 else math.inf
    return RandomEffects(y.size, mean, mean - half, mean + half, math.sqrt(tau2), mean - next_half, mean + next_half)


@lru_cache(maxsize=256)
def _t_factor(freedom: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def estimate_tau_squared(effects: np.ndarray, errors: np.ndarray) -> float:
    """Return the variance between data sets by Paule and Mandel: the one at which Cochran's Q equals n - 1.

    Args:
        effects: The effect on each data set (n,), n > 1.
        errors: Their standard errors (n,), above zero.
    """

    def excess(tau2: float) -> float:
        weights = 1 / (errors**2 + tau2)
        mean = (weights * effects).sum() / weights.sum()
        return float((weights * (effects - mean) ** 2).sum()) - (effects.size - 1)

    if excess(0.0) <= 0:
        return 0.0
    # Q falls with tau. At the sum of squares Q is at most 1, which is at most n - 1.
    low, high = 0.0, float(((effects - effects.mean()) ** 2).sum())
    for _ in range(MOST_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
        if high - low <= 1e-9 * high:
            break
    return (low + high) / 2
