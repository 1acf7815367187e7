"""How many seeds would decide a verdict that is undecided."""

from __future__ import annotations

import math

from scipy import stats

from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach

POWER = 0.8


def seeds_for_power(sd: float, effect: float, level: float, two_sided: bool = False) -> int:
    """Pairs for a power of 0.8 to see a true ``effect`` at the spread ``sd`` of one difference; at least 8.

    Args:
        sd: Standard deviation of one seed's difference, same unit as ``effect``.
        effect: Smallest effect of interest, above 0.
        level: One-sided, after any correction; halved where ``two_sided``.

    By the noncentral t distribution. Source: Cohen 1988, Statistical Power Analysis, chapter 2.
    """
    level = level / 2 if two_sided else level
    least = max(SEEDS_FOR_CLAIMS, seeds_to_reach(level, 1))
    if sd <= 0:
        return least
    ratio = effect / sd
    n = max(least, math.floor(((stats.norm.ppf(1 - level) + stats.norm.ppf(POWER)) / ratio) ** 2))
    while stats.nct.sf(stats.t.ppf(1 - level, n - 1), n - 1, ratio * math.sqrt(n)) < POWER:
        n += 1
    return n
