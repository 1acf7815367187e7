"""The sources of randomness of a trial, and the seed that each of them has."""

from __future__ import annotations

from typing import Literal, TypeAlias

from harness.specs.identity import Spec
from harness.specs.number_types import Seed

Source: TypeAlias = Literal["initialisation", "order", "augmentation", "split"]
"""A source of randomness. ``augmentation`` includes what a network draws in training: dropout, stochastic depth."""
SOURCES: tuple[Source, ...] = ("initialisation", "order", "augmentation", "split")
SEEDS = 2**32
"""Seeds are the integers below this number; a sum of two seeds wraps around."""


class StreamSeeds(Spec):
    """The seeds of those sources of a trial that do not follow the trial's own seed; None for those that do.

    Attributes:
        split: Seed of the split, where it is not the ``split_seed`` of the experiment's data.
    """

    initialisation: Seed | None = None
    order: Seed | None = None
    augmentation: Seed | None = None
    split: Seed | None = None

    def __bool__(self) -> bool:
        """Return whether any source has a seed of its own."""
        return self != StreamSeeds()
