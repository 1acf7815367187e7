"""The declared check of skew, and the second reading of a bound where it finds some.

The sign-flip test of a mean assumes that differences are symmetric. If most seeds differ little and a few differ much,
the seeds of one experiment can miss the few, and the mean looks better than it is. That harms a claim if the long tail
points away from it: the check looks at that tail. Where it is too long, the bound must pass two more tests.
docs/statistics.md has the simulations that chose the check and the tests.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from harness.reporting.statistics.comparisons import Side
from harness.reporting.statistics.intervals import Floats, require_finite
from harness.reporting.statistics.sign_flip_test import sign_flip_p_values

LONG_TAIL = 1.75
"""A tail is long if it is more than this many times as long as the other one.

One number serves all numbers of pairs. A few pairs show skew badly, so with them the check must doubt more of what it
sees: of normal samples it calls 20 % skewed against a given side at 8 pairs, 13 % at 16 and 6 % at 32.
"""


def is_skewed_against(differences: ArrayLike, side: Side) -> bool:
    """Return whether the tail of ``differences`` (n,) that points away from ``side`` is long."""
    return bool(find_skew_against(require_finite(differences), side))


def find_skew_against(differences: Floats, side: Side) -> NDArray[np.bool_]:
    """Return along the last axis whether the tail that points away from ``side``, ``less`` or ``greater``, is long.

    A tail is the distance of the median from the most distant value on that side.
    """
    ordered, n = np.sort(differences, axis=-1), differences.shape[-1]
    median = (ordered[..., (n - 1) // 2] + ordered[..., n // 2]) / 2
    upper, lower = ordered[..., -1] - median, median - ordered[..., 0]
    away, towards = {"less": (upper, lower), "greater": (lower, upper)}[side]
    return np.asarray(away > LONG_TAIL * towards + 1e-9 * (upper + lower))


def robust_p_value(differences: ArrayLike, side: Side, shift: float) -> float:
    """Return p of the second reading of a one-sided bound on ``differences`` (n,); see :func:`robust_p_values`."""
    return _robust_p_value(tuple(require_finite(differences).tolist()), side, shift)


@lru_cache(maxsize=4096)
def _robust_p_value(differences: tuple[float, ...], side: Side, shift: float) -> float:
    # A report needs the p of a bound several times: for each level, with and without failed trials, and to show it.
    return float(robust_p_values(np.array(differences), side, shift))


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
    x = (differences - shift) * {"less": -1.0, "greater": 1.0}[side]
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
