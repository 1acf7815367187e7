"""How many seeds a verdict takes, and the looks at which one is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, log2
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from harness.specs.experiment.trial import Trial
from harness.specs.identity import Spec, canonical, digest
from harness.specs.number_types import Seed

SEEDS_FOR_CLAIMS = 8
"""Fewer give no verdict: 1 is a smoke run, up to 4 a preview, up to 7 descriptive (docs/statistics.md)."""
MOST_SEEDS = 10_000
DECLARED_SIDE = 0.75
"""Of its level that a directional difference has for its claim. The rest is for its opposite: where there is no
difference both are wrong, and together they are to be no more often than the level."""


def seeds_to_reach(level: float, contrasts: int, two_sided: bool = False) -> int:
    """Fewest paired seeds at which the smallest p there is can pass Holm's first threshold, ``level / contrasts``.

    At n pairs the sign-flip test has no p below 1/2^n (one-sided).
    """
    sides = 2 if two_sided else 1
    # The quotient of the two would overflow at the smallest levels.
    return max(1, ceil(log2(sides * max(contrasts, 1)) - log2(level) - 1e-12))


def _rising(value: tuple[int, ...]) -> tuple[int, ...]:
    if any(seeds < SEEDS_FOR_CLAIMS for seeds in value):
        raise ValueError(f"a look at {min(value)} seeds gives no verdict: {SEEDS_FOR_CLAIMS} are needed for claims")
    if list(value) != sorted(set(value)):
        raise ValueError("looks are numbers of seeds that rise, such as [8, 12, 16]")
    return value


Looks: TypeAlias = Annotated[
    tuple[Annotated[int, Field(gt=0, le=MOST_SEEDS)], ...], Field(max_length=100), AfterValidator(_rising)
]


class InterimLook(Spec):
    """A verdict that was computed once, with its tests.

    Attributes:
        cells: Hash over what was compared: variants, data and recipe, whatever the experiment is called.
        seeds: Those that the record held then, rising.
        declared: The looks that the experiment declared then, in numbers of seeds.
    """

    cells: str = Field(max_length=64)
    seeds: tuple[Seed, ...]
    declared: tuple[int, ...] = ()


def comparison_hash(metric: str, trials: Iterable[Trial]) -> str:
    """Hash over what decides a comparison of the variants of ``trials``, whatever its seeds, side and margin."""
    first = {trial.variant.name: trial for trial in trials}
    parts = [{key: part for key, part in trial.identity().items() if key != "seed"} for trial in first.values()]
    return digest([metric, *sorted(map(canonical, parts))])
