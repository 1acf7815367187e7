"""Exact intervals of proportions: wrong images among all images, pairs in which A is lower among all pairs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from scipy import stats

from harness.reporting.statistics.intervals import CONFIDENCE


@lru_cache(maxsize=4096)
def binomial_interval(wrong: int, images: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the exact interval, in percent, of an error rate: ``wrong`` of ``images`` images are misclassified.

    Source: Clopper and Pearson 1934.
    """
    interval: Any = stats.binomtest(wrong, images).proportion_ci(confidence_level=confidence, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


def probability_interval(lower: int, ties: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of P(A < B) + P(A = B) / 2, from ``n`` pairs.

    Ties count against A at the lower end and for A at the upper end. Since P(A < B) <= P(A < B) + P(A = B) / 2 <=
    P(A <= B), the interval covers at least as often as the exact one of Clopper and Pearson 1934.

    Args:
        lower: Pairs in which A is lower than B.
        ties: Pairs in which both are equal.
    """
    return binomial_interval(lower, n)[0] / 100, binomial_interval(lower + ties, n)[1] / 100


def share_bound(on_side: int, n: int, confidence: float = CONFIDENCE) -> float:
    """Return the largest share of all seeds that may lie off a side on which ``on_side`` of ``n`` seeds lie.

    It is the one-sided upper end of the exact interval of Clopper and Pearson 1934: with 8 of 8 seeds on the claimed
    side, a share of 0.31 is not excluded at 95 %.

    Args:
        on_side: Seeds that lie on the side.
    """
    return 1.0 if on_side == 0 else float(stats.beta.ppf(confidence, n - on_side + 1, on_side))
