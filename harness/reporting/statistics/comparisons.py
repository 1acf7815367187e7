"""An effect A - B with its interval, and its estimate from pairs of seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.reporting.statistics.intervals import estimate_mean, require_pairs
from harness.reporting.statistics.proportions import probability_interval

Side = Literal["less", "greater", "two-sided"]
"""The side of a threshold on which an effect is claimed to lie."""


@dataclass(frozen=True)
class Comparison:
    """An effect A - B with its 95 % interval.

    Attributes:
        n: Number of pairs; with the method ``welch`` the size of the smaller group.
        sd: Standard deviation of one pair's difference. With the method ``welch`` it is the standard error times the
            square root of ``n``. None for one seed.
        probability: P(A < B) over the pairs, ties counted one half; None with the method ``welch``.
        correlation: Pearson's correlation of the pairs. None below three pairs, where one side has no spread, and with
            the method ``welch``.
        method: ``paired`` (t interval of the differences) or ``welch`` (t interval over independent groups: only for
            two results without a common seed).
        probability_low: Lower end of the 95 % interval of ``probability``.
        probability_high: Upper end of that interval.
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


def compare_pairs(a: ArrayLike, b: ArrayLike) -> Comparison:
    """Return the effect ``a - b`` over pairs of seeds.

    Args:
        a: Values (n,) of one side.
        b: Values (n,) of the other side, the same seed at the same index.

    Raises:
        ValueError: The lengths differ, or a value is not finite.
    """
    x, y = require_pairs(a, b)
    difference = estimate_mean(x - y)
    is_tie = np.isclose(x, y, rtol=1e-12, atol=1e-12)
    lower, ties = int(np.count_nonzero((x < y) & ~is_tie)), int(np.count_nonzero(is_tie))
    is_constant = estimate_mean(x).has_no_spread or estimate_mean(y).has_no_spread
    correlation = None if is_constant or x.size < 3 else float(np.corrcoef(x, y)[0, 1])
    return Comparison(
        difference.n,
        difference.mean,
        difference.sd,
        difference.low,
        difference.high,
        (lower + ties / 2) / x.size,
        correlation,
        "paired",
        *probability_interval(lower, ties, x.size),
    )
