"""The values of one variant by seed, read from the table of last epochs: the input of all statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from harness.specs.network.any_variant import AnyVariant

SeedValues = Mapping[int, float]
"""Last-epoch values of one variant, by seed; errors are in percent."""


def values_by_seed(
    final: pd.DataFrame, variant: str, metric: str, excluded_seeds: frozenset[int] = frozenset()
) -> dict[int, float]:
    """Return one variant's values of ``metric`` by seed, in the order of the table; values that are NaN are left out.

    Args:
        final: The last epoch of every trial, one row each.
        variant: The variant's name.
        excluded_seeds: Seeds to leave out as well.
    """
    # Arrays, because selecting rows of a frame for each of thousands of variants would take minutes.
    rows = (final["variant"] == variant).to_numpy(dtype=bool)
    pairs = zip(final["seed"].to_numpy()[rows].tolist(), final[metric].to_numpy()[rows].tolist(), strict=True)
    return {seed: value for seed, value in pairs if not math.isnan(value) and seed not in excluded_seeds}


def list_common_seeds(values: Sequence[SeedValues]) -> list[int]:
    """Return the seeds that all of some variants (or differences) have, in the order of the first."""
    first, *others = values
    return [seed for seed in first if all(seed in other for other in others)]


def list_seed_values(final: pd.DataFrame, variant: AnyVariant, metric: str) -> list[float]:
    """Return one variant's values of ``metric`` in the order of its seeds; values that are NaN are left out."""
    return [value for _, value in sorted(values_by_seed(final, variant.name, metric).items())]
