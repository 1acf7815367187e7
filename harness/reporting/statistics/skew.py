"""The declared check of skew, and the second reading of a bound where it finds some.

The sign-flip test of a mean assumes that differences are symmetric. If most seeds differ little and a few differ much,
the seeds of one experiment can miss the few, and the mean looks better than it is. That harms a claim if the long tail
points away from it: the check looks at that tail. Where it is too long, the bound must pass two more tests.
docs/statistics.md has the simulations that chose the check and the tests.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from harness.reporting.statistics.comparisons import OPPOSITE_SIDE, Side
from harness.reporting.statistics.intervals import Floats, require_finite
from harness.reporting.statistics.sign_flip_test import sign_flip_p_values

CHECK_LEVEL = 0.1
"""Share of normal samples in which the check finds a long tail on a given side."""
_PAIRS = (8, 10, 12, 16, 24, 32, 64, 128, 1024)
_LONG_TAILS = (2.38, 2.17, 2.03, 1.86, 1.68, 1.59, 1.44, 1.34, 1.21)
"""Ratio of tails that normal samples of so many pairs exceed with the chance ``CHECK_LEVEL``."""


def long_tail_ratio(n: int) -> float:
    """Return the ratio of two tails from which on the longer one is called long, for ``n`` pairs."""
    return float(np.interp(math.log(n), np.log(_PAIRS), _LONG_TAILS))


def is_symmetric(differences: ArrayLike) -> bool:
    """Return whether neither tail of ``differences`` (n,) is long."""
    return not is_skewed_against(differences, "two-sided")


def is_skewed_against(differences: ArrayLike, side: Side) -> bool:
    """Return whether the tail of ``differences`` (n,) that points away from ``side`` is long."""
    return bool(find_skew_against(require_finite(differences), side))


def find_skew_against(differences: Floats, side: Side) -> NDArray[np.bool_]:
    """Return along the last axis whether the tail that points away from ``side`` is long; with two sides, either one.

    A tail is the distance of the median from the most distant value on that side.
    """
    median = np.median(differences, axis=-1)
    upper, lower = differences.max(axis=-1) - median, median - differences.min(axis=-1)
    ratio, rounding = long_tail_ratio(differences.shape[-1]), 1e-9 * (upper + lower)
    is_upper, is_lower = upper > ratio * lower + rounding, lower > ratio * upper + rounding
    return np.asarray({"less": is_upper, "greater": is_lower, "two-sided": is_upper | is_lower}[side])


def robust_p_value(differences: ArrayLike, side: Side, shift: float) -> float:
    """Return p of the second reading of ``differences`` (n,); see :func:`robust_p_values`."""
    return float(robust_p_values(require_finite(differences), side, shift))


def robust_p_values(differences: Floats, side: Side, shift: float) -> Floats:
    """Return p of the second reading along the last axis of ``differences`` (..., n): the larger p of two tests.

    - Hall's t test corrects the mean for the skew that the sample shows. It adds a cubic term to Johnson's correction,
      so that a larger effect never has a larger p.
    - Wilcoxon's signed-rank test limits the weight of a single seed. Alone it would not do: under skew it speaks of a
      typical seed, and a typical seed is on the claimed side even where the mean is not.

    Sources: Johnson 1978; Hall 1992; Wilcoxon 1945.
    """
    return np.maximum(_hall_p_values(differences, side, shift), _signed_rank_p_values(differences, side, shift))


def _hall_p_values(differences: Floats, side: Side, shift: float) -> Floats:
    if side == "two-sided":
        return np.minimum(1.0, 2 * np.minimum(*(_hall_p_values(differences, s, shift) for s in OPPOSITE_SIDE)))
    x = (differences - shift) * (-1.0 if side == "less" else 1.0)
    n, mean = x.shape[-1], x.mean(axis=-1)
    deviations = x - mean[..., None]
    variance = (deviations**2).sum(axis=-1) / (n - 1)
    has_spread = variance > 1e-18
    variance = np.where(has_spread, variance, 1.0)
    third_moment = (deviations**3).mean(axis=-1)
    corrected = mean + third_moment / (6 * variance * n) + third_moment * mean**2 / (3 * variance**2)
    # The cubic term. Without it the square would outweigh the mean of a large effect.
    corrected = corrected + third_moment**2 * mean**3 / (27 * variance**4)
    return np.where(has_spread, stats.t.sf(corrected / np.sqrt(variance / n), n - 1), np.where(mean > 0, 0.0, 1.0))


def _signed_rank_p_values(differences: Floats, side: Side, shift: float) -> Floats:
    x = differences - shift
    # Differences that are equal but for rounding share their rank.
    scale = np.abs(x).max(axis=-1, keepdims=True)
    magnitudes = np.round(np.abs(x) / np.where(scale > 0, scale, 1.0), 9)
    ranks = np.where(magnitudes > 0, stats.rankdata(magnitudes, axis=-1), 0.0)
    return sign_flip_p_values(np.sign(x) * ranks, side)
