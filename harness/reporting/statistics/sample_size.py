"""The number of seeds that would decide a verdict that is undecided, as a range over what the spread may be.

A verdict rests on several tests that must all reject. Their differences come from the same seeds and are correlated, so
their joint power is simulated. The sign-flip test is planned for as the t test, which has nearly the same power.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from harness.reporting.statistics.intervals import Floats
from harness.specs.experiment.interim_looks import MOST_SEEDS, SEEDS_FOR_CLAIMS, seeds_to_reach

POWER = 0.8
"""Chance that an experiment of the returned size decides, where the effects are as assumed."""
SPREAD_CONFIDENCE = 0.8
"""Confidence of the chi-square interval of the standard deviation, which gives the range."""
RUNS = 5_000
"""Simulated experiments for each number of seeds. They are drawn from a fixed seed."""


@dataclass(frozen=True)
class SeedsRange:
    """Numbers of seeds that reach a power of 0.8; 10,000 stands for that many or more.

    Attributes:
        low: Seeds at the lower end of the 80 % interval of the standard deviation.
        likely: Seeds at the standard deviation that was seen.
        high: Seeds at the upper end.
    """

    low: int
    likely: int
    high: int


def seeds_needed(differences: ArrayLike, distances: Sequence[float], levels: Sequence[float]) -> SeedsRange:
    """Return the pairs of seeds with which all of several one-sided tests reject, with a power of 0.8; at least 8.

    Args:
        differences: Paired differences (tests, n) with n of at least 2; a column is one seed in all tests.
        distances: For each test, how far its true effect lies beyond the tested bound, above 0.
        levels: For each test its one-sided level, after any correction.

    Raises:
        ValueError: There are fewer than two seeds, or a value is missing, or a distance is not above 0.
    """
    x = np.asarray(differences, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2 or not np.isfinite(x).all() or min(distances) <= 0:
        raise ValueError("expected finite differences (tests, n > 1), and distances above 0")
    smallest_n = max(SEEDS_FOR_CLAIMS, seeds_to_reach(min(levels), 1))
    df = x.shape[1] - 1
    ends = [math.sqrt(df / stats.chi2.ppf(q, df)) for q in ((1 + SPREAD_CONFIDENCE) / 2, (1 - SPREAD_CONFIDENCE) / 2)]
    scaled = [(x - x.mean(axis=1, keepdims=True)) * factor / math.sqrt(df) for factor in (ends[0], 1.0, ends[1])]
    low, likely, high = (_search(part, np.asarray(distances), np.asarray(levels), smallest_n) for part in scaled)
    return SeedsRange(low, likely, high)


def joint_power(factor: Floats, distances: Floats, levels: Floats, n: int) -> float:
    """Return the chance that all t tests of ``n`` normal pairs reject.

    Args:
        factor: Matrix (tests, any) whose product with its transpose is the covariance of one pair's differences.
        distances: True effects (tests,) beyond the tested bounds.
        levels: One-sided levels (tests,).
    """
    tests = len(factor)
    # A triangular factor of the covariance; by Bartlett 1933 it gives all sample variances without drawing n pairs.
    lower = np.asarray(np.linalg.qr(factor.T, mode="r"), dtype=np.float64).T
    rank = lower.shape[1]
    generator = np.random.default_rng(22)
    means = distances + generator.standard_normal((RUNS, rank)) @ lower.T / math.sqrt(n)
    triangle = np.tril(generator.standard_normal((RUNS, rank, rank)), -1)
    for index in range(rank):
        triangle[:, index, index] = np.sqrt(generator.chisquare(max(n - 1 - index, 1), RUNS))
    variances = ((lower @ triangle) ** 2).sum(axis=2) / (n - 1)
    errors = np.sqrt(variances / n)
    critical = np.array([stats.t.ppf(1 - level, n - 1) for level in levels])
    # A test without spread always rejects.
    passes = np.where(errors > 1e-12, means > critical * errors, True)
    return float(passes.reshape(RUNS, tests).all(axis=1).mean())


def _search(factor: Floats, distances: Floats, levels: Floats, smallest_n: int) -> int:
    """Return the least number of pairs, from ``smallest_n`` to 10,000, whose joint power is 0.8."""
    # The normal approximation of the hardest single test needs at most as many, so the search can start there.
    sd = np.sqrt((factor**2).sum(axis=1))
    hardest = float((((stats.norm.isf(levels) + stats.norm.ppf(POWER)) * sd / distances) ** 2).max())
    above = min(max(smallest_n, math.floor(hardest)), MOST_SEEDS)
    below = above - 1
    while above < MOST_SEEDS and joint_power(factor, distances, levels, above) < POWER:
        below, above = above, min(2 * above, MOST_SEEDS)
    while above - below > 1:
        middle = (below + above) // 2
        if joint_power(factor, distances, levels, middle) < POWER:
            below = middle
        else:
            above = middle
    return above
