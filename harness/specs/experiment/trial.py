"""A trial: one variant trained on one data set with one recipe and one seed."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from harness.specs.experiment.data import DataSpec
from harness.specs.experiment.recipe import Recipe
from harness.specs.identity import SEMANTICS, Spec, digest
from harness.specs.network.any_variant import AnyVariant
from harness.specs.number_types import Seed


class Trial(Spec):
    """One training run. Its id is the hash of everything that decides its result.

    Attributes:
        scheduler: Scheduler of a search that may end the trial before its last epoch; None if there is none.
    """

    variant: AnyVariant
    data: DataSpec
    recipe: Recipe
    seed: Seed
    scheduler: Literal["asha"] | None = None

    def identity(self) -> dict[str, Any]:
        """Return the identities of variant, data and recipe, with the seed and the semantics version."""
        return {
            "semantics": SEMANTICS,
            "variant": self.variant.identity(),
            "data": self.data.identity(),
            "recipe": self.recipe.identity(),
            "seed": self.seed,
            **({"scheduler": self.scheduler} if self.scheduler is not None else {}),
        }

    @cached_property
    def id(self) -> str:
        """First 12 hex digits of sha256 over the canonical JSON of the identity."""
        return digest(self.identity())

    @property
    def label(self) -> str:
        """Name of the trial in messages and reports."""
        return f"{self.variant.name} seed {self.seed}"
