"""The change of the error with depth within one family of networks. It is exploratory: no verdict uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.reporting.statistics.comparisons import Comparison, compare_pairs
from harness.reporting.statistics.intervals import Estimate, Floats, estimate_mean


@dataclass(frozen=True)
class DepthOnset:
    """The first depth at which the error is worse than at some shallower depth.

    Attributes:
        depth: That depth.
        best_shallower: The shallower depth with the lowest mean error.
        difference: Error at ``depth`` minus error at ``best_shallower``.
    """

    depth: int
    best_shallower: int
    difference: Comparison


def fit_slope_on_depth(depths: Sequence[int], errors: ArrayLike) -> Estimate:
    """Return the mean over seeds of the least-squares slope of error on depth, in error units per layer.

    Args:
        errors: Errors of shape (depths, seeds).

    Raises:
        ValueError: There are fewer than two depths, or an error is not finite.
    """
    table = _require_table(depths, errors)
    x = np.asarray(depths, dtype=np.float64) - np.mean(depths)
    return estimate_mean(x @ table / float(x @ x))


def find_onset_depth(depths: Sequence[int], errors: ArrayLike) -> DepthOnset | None:
    """Return the first depth at which the error is worse than at its best shallower depth; None where there is none.

    "Worse" means that the 95 % t interval of the paired difference lies above zero, which needs two seeds at least.
    The comparisons are not corrected for their number.

    Args:
        depths: Depths in rising order.
        errors: Errors of shape (depths, seeds).

    Raises:
        ValueError: There are fewer than two depths, they do not rise, or an error is not finite.
    """
    table = _require_table(depths, errors)
    if list(depths) != sorted(set(depths)):
        raise ValueError("depths must rise")
    means = table.mean(axis=1)
    for index in range(1, len(depths)):
        best = int(np.argmin(means[:index]))
        difference = compare_pairs(table[index], table[best])
        # Without spread the t interval has no width, and shows nothing.
        has_spread = difference.sd is not None and difference.sd > 1e-9
        if has_spread and difference.low is not None and difference.low > 0:
            return DepthOnset(depths[index], depths[best], difference)
    return None


def _require_table(depths: Sequence[int], errors: ArrayLike) -> Floats:
    """Return ``errors`` as an array of shape (depths, seeds).

    Raises:
        ValueError: There are fewer than two depths, the shape is another one, or an error is not finite.
    """
    table = np.asarray(errors, dtype=np.float64)
    if len(depths) < 2 or table.ndim != 2 or len(table) != len(depths) or not np.isfinite(table).all():
        raise ValueError("expected finite errors of shape (depths, seeds) for at least two depths")
    return table
