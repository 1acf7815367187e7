"""The number of seeds that would decide a verdict that is undecided."""

from __future__ import annotations

import math

from scipy import stats

from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach

POWER = 0.8
"""Chance that an experiment of the returned size finds the effect, where it is real."""


def seeds_for_power(sd: float, effect: float, level: float, two_sided: bool = False) -> int:
    """Return the pairs of seeds that find a true ``effect`` with a power of 0.8; at least 8.

    The power is that of the t test, by the noncentral t distribution. Source: Cohen 1988, Statistical Power Analysis,
    chapter 2.

    Args:
        sd: Standard deviation of one pair's difference, in the unit of ``effect``.
        effect: Smallest effect of interest, above 0.
        level: Level of the test after any correction; a two-sided test has half of it on each side.
    """
    level = level / 2 if two_sided else level
    smallest_n = max(SEEDS_FOR_CLAIMS, seeds_to_reach(level, 1))
    if sd <= 0:
        return smallest_n
    ratio = effect / sd
    # The normal approximation is at most the exact number, so the search can start there.
    n = max(smallest_n, math.floor(((stats.norm.ppf(1 - level) + stats.norm.ppf(POWER)) / ratio) ** 2))
    while stats.nct.sf(stats.t.ppf(1 - level, n - 1), n - 1, ratio * math.sqrt(n)) < POWER:
        n += 1
    return n
