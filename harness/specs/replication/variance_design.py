"""The field ``variance``: a crossed design that measures how much each source of randomness moves the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator

from harness.specs.identity import Spec
from harness.specs.number_types import Seed
from harness.specs.replication.orthogonal_array import has_array, orthogonal_array
from harness.specs.replication.replicate import Replication, require_distinct_sources
from harness.specs.replication.sources import SOURCES, Source

FEWEST_LEVELS, MOST_LEVELS, MOST_RUNS = 3, 16, 2_000


class VarianceDesign(Spec):
    """A crossed design: each source has several levels, which are seeds, and each two sources meet in all pairs once.

    It has ``repeats`` blocks of levels² trials of each variant (see :mod:`harness.specs.replication.orthogonal_array`).
    The levels of one block are not those of another, so a further block adds information on every source.
    """

    example: ClassVar[str] = "{sources: [initialisation, order, augmentation], levels: 4}"

    sources: Annotated[tuple[Source, ...], AfterValidator(require_distinct_sources)] = Field(
        description="Two to four sources that vary independently: initialisation, order, augmentation, split."
    )
    levels: int = Field(4, description="Seeds of each source in a block, which has levels² trials of each variant.")
    repeats: Annotated[int, Field(gt=0, le=100)] = Field(
        1, description="Blocks, each with other levels. A larger number adds trials to those that are recorded."
    )
    hold_at: Seed = Field(0, description="Seed of the sources that are not varied, except the split.")

    @model_validator(mode="after")
    def _require_array(self) -> VarianceDesign:
        columns, levels = len(self.sources), self.levels
        if columns < 2:
            raise ValueError(
                "a crossed design needs at least two sources; to vary one source alone, use replicate and seeds"
            )
        if not FEWEST_LEVELS <= levels <= MOST_LEVELS:
            raise ValueError(
                f"levels is {levels}: use {FEWEST_LEVELS} to {MOST_LEVELS}; two levels would leave one degree of "
                "freedom for each source, from which no useful interval follows"
            )
        if not has_array(columns, levels):
            raise ValueError(
                f"there is no design of four sources with {levels} levels: use {levels - 1} or {levels + 1} levels"
            )
        if self.runs > MOST_RUNS:
            raise ValueError(f"{self.runs:,} trials of each variant are more than {MOST_RUNS:,}: lower repeats")
        if self.residual_freedom < 1:
            raise ValueError(
                f"{levels} levels of {columns} sources leave nothing for the residual: use at least {levels + 1} levels"
            )
        return self

    @property
    def runs(self) -> int:
        """Number of trials of each variant."""
        return self.repeats * self.levels**2

    @property
    def freedom(self) -> int:
        """Degrees of freedom of each source."""
        return self.repeats * (self.levels - 1)

    @property
    def residual_freedom(self) -> int:
        """Degrees of freedom of the residual."""
        return self.repeats * (self.levels**2 - 1 - len(self.sources) * (self.levels - 1))

    def block(self, run: int) -> int:
        """Return the block of a run, from 0."""
        return run // self.levels**2

    def seeds(self, run: int) -> dict[Source, int]:
        """Return the seed of each source in a run; that of the split is added to the data's ``split_seed``."""
        block, number = divmod(run, self.levels**2)
        levels = orthogonal_array(len(self.sources), self.levels)[number]
        held: dict[Source, int] = {source: 0 if source == "split" else self.hold_at for source in SOURCES}
        return held | {source: block * self.levels + level for source, level in zip(self.sources, levels, strict=True)}


def number_runs(fields: Any) -> Any:
    """Return the fields of an experiment with the seeds of its crossed design, whose runs are numbered from 0.

    Args:
        fields: The fields as they were read. They are returned as they are if they have seeds, or no valid design.
    """
    if not isinstance(fields, Mapping) or fields.get("variance") is None or fields.get("seeds") is not None:
        return fields
    try:
        design = VarianceDesign.model_validate(fields["variance"])
    except ValueError:
        # The field has an error of its own.
        return {**fields, "seeds": [0]}
    return {**fields, "seeds": list(range(design.runs))}


def check_with_variance(value: Replication | VarianceDesign | None, fields: Mapping[str, Any]) -> None:
    """Check the field ``replicate`` or ``variance`` against the fields of an experiment before it.

    Raises:
        ValueError: They do not go together.
    """
    if isinstance(value, Replication):
        if "split" in value.vary and fields.get("tune") is not None:
            raise ValueError(
                "a search cannot choose recipes where seeds vary the split, because its validation images would be "
                "test images of other seeds: remove split, or remove tune"
            )
        return
    if value is None:
        return
    if fields.get("replicate", Replication()) != Replication():
        raise ValueError("variance.sources already says what varies: remove replicate, or remove variance")
    for field, needs in (("contrasts", "seeds that are independent of each other"), ("looks", "contrasts")):
        if fields.get(field):
            raise ValueError(
                f"{field} need {needs}, and trials of a crossed design share theirs: put {field} into another "
                "experiment, or remove variance"
            )
    for field in ("tune", "decide"):
        if fields.get(field) is not None:
            raise ValueError(f"an experiment with a crossed design has no {field}: remove {field}, or remove variance")
    seeds = fields.get("seeds")
    if seeds is not None and seeds != tuple(range(value.runs)):
        raise ValueError(
            f"{value.levels} levels in {value.repeats} block{'s' * (value.repeats > 1)} are {value.runs} trials of "
            "each variant, numbered from 0: remove seeds, and set variance.repeats for more trials"
        )
