"""Numbers of seeds that a verdict needs, and interim looks: verdicts before the last seed."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, log2
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from harness.specs.experiment.trial import Trial
from harness.specs.identity import Spec, canonical, digest
from harness.specs.number_types import Seed

SEEDS_FOR_CLAIMS = 8
"""Fewest seeds for a verdict: 1 is a test run, up to 4 a preview, up to 7 descriptive (docs/statistics.md)."""
MOST_SEEDS = 10_000
DECLARED_SIDE = 0.75
"""Share of the level for the claim of a one-sided difference; the rest is for the opposite claim.

Without any difference both claims are wrong, and the level bounds how often either of them is made."""
NON_INFERIORITY_SHARE = 0.5
"""Share of the level at which a residual change is tested to be below the margin, as in clinical trials."""


def seeds_to_reach(level: float, contrasts: int, two_sided: bool = False) -> int:
    """Return the fewest paired seeds at which a verdict can be reached.

    The smallest p-value of the sign-flip test with n pairs is 1/2^n (one-sided). It must not exceed Holm's first
    threshold, ``level / contrasts``.
    """
    sides = 2 if two_sided else 1
    # A difference of logarithms, because the quotient would overflow at the smallest levels.
    return max(1, ceil(log2(sides * max(contrasts, 1)) - log2(level) - 1e-12))


def _require_rising(value: tuple[int, ...]) -> tuple[int, ...]:
    if any(seeds < SEEDS_FOR_CLAIMS for seeds in value):
        raise ValueError(
            f"an interim look at {min(value)} seeds gives no verdict: use at least {SEEDS_FOR_CLAIMS} seeds"
        )
    if list(value) != sorted(set(value)):
        raise ValueError("looks must be numbers of seeds that rise, such as [8, 12, 16]")
    return value


Looks: TypeAlias = Annotated[
    tuple[Annotated[int, Field(gt=0, le=MOST_SEEDS)], ...], Field(max_length=100), AfterValidator(_require_rising)
]


class InterimLook(Spec):
    """A verdict that an earlier version computed at some number of seeds, and recorded without what was declared.

    The record now keeps a :class:`~harness.specs.declarations.analysis.Analysis` instead.

    Attributes:
        cells: Hash of the compared variants, data and recipe; the name of the experiment is not part of it.
        seeds: The seeds that were recorded at that time, rising.
        declared: Numbers of seeds of the looks that the experiment declared at that time.
    """

    cells: str = Field(max_length=64)
    seeds: tuple[Seed, ...]
    declared: tuple[int, ...] = ()


def comparison_hash(metric: str, trials: Iterable[Trial]) -> str:
    """Return the hash of a comparison: the metric, and the variants, data and recipe of ``trials``, without seeds."""
    trial_by_variant = {trial.variant.name: trial for trial in trials}
    identities = [trial.cell_identity() for trial in trial_by_variant.values()]
    return digest([metric, *sorted(map(canonical, identities))])
