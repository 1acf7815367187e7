"""What depth does within one family: exploratory, over complete seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.reporting.statistics.estimates import Comparison, Estimate, estimate_mean, compare_pairs


@dataclass(frozen=True)
class DepthOnset:
    """The first ``depth`` that is worse than ``best``, the depth of the lowest mean among the shallower ones."""

    depth: int
    best: int
    difference: Comparison


def fit_slope_on_depth(depths: Sequence[int], errors: ArrayLike) -> Estimate:
    """Least-squares slope of ``errors`` (depths, seeds) on ``depths``, one per seed, in error units per layer.

    Raises:
        ValueError: There are fewer than two depths, or an error is not finite.
    """
    table = _table(depths, errors)
    x = np.asarray(depths, dtype=np.float64) - np.mean(depths)
    return estimate_mean(x @ table / float(x @ x))


def find_onset_depth(depths: Sequence[int], errors: ArrayLike) -> DepthOnset | None:
    """First depth whose ``errors`` (depths, seeds) exceed those of its best shallower member.

    Worse means that the 95 % t interval of the paired difference lies above zero, so it needs two seeds at least.
    The comparisons are not corrected for their number: exploratory.

    Raises:
        ValueError: There are fewer than two depths, they do not rise, or an error is not finite.
    """
    table = _table(depths, errors)
    if list(depths) != sorted(set(depths)):
        raise ValueError("depths must rise")
    means = table.mean(axis=1)
    for index in range(1, len(depths)):
        best = int(np.argmin(means[:index]))
        difference = compare_pairs(table[index], table[best])
        # Seeds that all agree have no interval of their own to be sure by.
        spread = difference.sd is not None and difference.sd > 1e-9
        if spread and difference.low is not None and difference.low > 0:
            return DepthOnset(depths[index], depths[best], difference)
    return None


def _table(depths: Sequence[int], errors: ArrayLike) -> np.ndarray:
    table = np.asarray(errors, dtype=np.float64)
    if len(depths) < 2 or table.ndim != 2 or len(table) != len(depths) or not np.isfinite(table).all():
        raise ValueError("expected finite errors of shape (depths, seeds) for at least two depths")
    return table
