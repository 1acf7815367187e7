"""A trial: one variant trained on one data set with one recipe and one seed."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from harness.specs.experiment.data import DataSpec
from harness.specs.experiment.recipe import Recipe
from harness.specs.identity import SEMANTICS, Spec, digest
from harness.specs.network.any_variant import AnyVariant
from harness.specs.number_types import Seed
from harness.specs.replication.sources import Source, StreamSeeds


class Trial(Spec):
    """One training run. Its id is the hash of everything that decides its result.

    Attributes:
        scheduler: Scheduler of a search that may end the trial before its last epoch; None if there is none.
        streams: Seeds of the sources of randomness that do not follow ``seed``.
    """

    variant: AnyVariant
    data: DataSpec
    recipe: Recipe
    seed: Seed
    scheduler: Literal["asha"] | None = None
    streams: StreamSeeds = StreamSeeds()

    def identity(self) -> dict[str, Any]:
        """Return the identities of variant, data and recipe, with the seeds and the semantics version."""
        streams = self.streams.model_dump(exclude_none=True, exclude={"split"})
        return {
            **self.cell_identity(),
            "data": self.split_data.identity(),
            "seed": self.seed,
            **({"streams": streams} if streams else {}),
        }

    def cell_identity(self) -> dict[str, Any]:
        """Return the identity without all seeds: equal for all trials of a variant, data set and recipe."""
        return {
            "semantics": SEMANTICS,
            "variant": self.variant.identity(),
            "data": self.data.identity(),
            "recipe": self.recipe.identity(),
            **({"scheduler": self.scheduler} if self.scheduler is not None else {}),
        }

    @property
    def split_data(self) -> DataSpec:
        """The data with the split of this trial. ``data`` has the split that the experiment declares."""
        split = self.streams.split
        return self.data if split is None else self.data.model_copy(update={"split_seed": split})

    def seed_of(self, source: Source) -> int:
        """Return the seed of a source of randomness."""
        if source == "split":
            return self.split_data.split_seed
        own: int | None = getattr(self.streams, source)
        return self.seed if own is None else own

    def describe_seeds(self) -> str:
        """Return its seed as text, followed by the seeds of sources that have another one."""
        own = [f"{source} {seed}" for source, seed in self.streams if seed is not None]
        return f"{self.seed} ({', '.join(own)})" if own else str(self.seed)

    @cached_property
    def id(self) -> str:
        """First 12 hex digits of sha256 over the canonical JSON of the identity."""
        return digest(self.identity())

    @property
    def label(self) -> str:
        """Name of the trial in messages and reports."""
        return f"{self.variant.name} seed {self.seed}"
