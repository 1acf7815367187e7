"""Welch's test over independent groups of seeds: for two results that have no seed in common.

Results at common seeds are correlated. Welch's test would be wrong more often than stated there, or would find nothing,
so only the pairs are compared.

All functions estimate a weighted sum of group means. The weights (1, -1) make it the difference of two groups, and
(1, -1, -1, 1) the difference of two differences. Sources: Welch 1947; Satterthwaite 1946 for the degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from harness.reporting.statistics.comparisons import Comparison, Side
from harness.reporting.statistics.intervals import CONFIDENCE, Floats, require_finite
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value


def compare_groups(groups: Sequence[ArrayLike], weights: Sequence[float]) -> Comparison:
    """Return the weighted sum of the means of ``groups``, with its interval where every group has two seeds.

    Raises:
        ValueError: A group is empty, or a value is not finite.
    """
    arrays = [require_finite(group) for group in groups]
    n = min(x.size for x in arrays)
    if n < 2:
        effect = float(sum(w * x.mean() for w, x in zip(weights, arrays, strict=True)))
        return Comparison(n, effect, None, None, None, None, None, "welch")
    effect, error, low, high = (float(value) for value in welch_interval(arrays, weights))
    return Comparison(n, effect, error * math.sqrt(n), low, high, None, None, "welch")


def welch_p_value(groups: Sequence[ArrayLike], weights: Sequence[float], side: Side, shift: float = 0.0) -> float:
    """Return p of the test that the weighted sum of means is ``shift``; 1 where a group has fewer than two seeds.

    Where no group has any spread, the sign-flip test replaces Welch's: every pairing gives the same differences.

    Raises:
        ValueError: A group is empty, or a value is not finite.
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
    """Return the weighted sum of the means of ``groups`` (..., n > 1), its standard error, and its 95 % interval."""
    effect, error, df = estimate_weighted_sum(groups, weights)
    half_width = stats.t.ppf((1 + CONFIDENCE) / 2, df) * error
    return effect, error, effect - half_width, effect + half_width


def welch_p_values(groups: Sequence[Floats], weights: Sequence[float], side: Side, shift: float = 0.0) -> Floats:
    """Return p along the last axes of ``groups`` (..., n > 1), of which at least one must have spread."""
    effect, error, df = estimate_weighted_sum(groups, weights)
    statistic = (effect - shift) / error
    if side == "two-sided":
        return np.asarray(2 * stats.t.sf(np.abs(statistic), df))
    return np.asarray(stats.t.sf(statistic if side == "greater" else -statistic, df))


def estimate_weighted_sum(groups: Sequence[Floats], weights: Sequence[float]) -> tuple[Floats, Floats, Floats]:
    """Return the weighted sum of the means of ``groups`` (..., n > 1), its standard error and degrees of freedom.

    Where no group has any spread the standard error is 0 and the degrees of freedom are infinite.
    """
    weighted = list(zip(weights, groups, strict=True))
    effect = np.asarray(sum(w * x.mean(axis=-1) for w, x in weighted))
    variances = [w * w * x.var(axis=-1, ddof=1) / x.shape[-1] for w, x in weighted]
    total = np.asarray(sum(variances))
    has_spread = total >= 1e-24
    denominator = np.asarray(sum(v**2 / (x.shape[-1] - 1) for v, (_, x) in zip(variances, weighted, strict=True)))
    df = np.divide(total**2, denominator, out=np.full(total.shape, np.inf), where=has_spread)
    return effect, np.where(has_spread, np.sqrt(total), 0.0), df
