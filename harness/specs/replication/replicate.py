"""The field ``replicate``: which sources of randomness the seeds of an experiment vary."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from harness.specs.identity import Spec
from harness.specs.number_types import Seed
from harness.specs.replication.sources import SOURCES, Source


def require_distinct_sources(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Return the sources in their usual order; raise a ValueError if there is none, or if one is given twice."""
    if not sources:
        raise ValueError(f"no source is given: name at least one of {', '.join(SOURCES)}")
    repeated = [source for source, count in Counter(sources).items() if count > 1]
    if repeated:
        raise ValueError(f"the source {repeated[0]} is given twice: remove one of the two")
    return tuple(source for source in SOURCES if source in sources)


class Replication(Spec):
    """The sources of randomness that seeds vary. The other sources have one seed in all trials."""

    example: ClassVar[str] = "[initialisation, order, split]"

    vary: Annotated[tuple[Source, ...], AfterValidator(require_distinct_sources)] = Field(
        ("initialisation", "order", "augmentation"),
        description="Sources that differ between seeds: initialisation, order, augmentation (with dropout and "
        "stochastic depth), split.",
    )
    hold_at: Seed = Field(
        0, description="Seed of the other sources in all trials; a split that is held has the seed data.split_seed."
    )

    def seeds(self, seed: int) -> dict[Source, int]:
        """Return the seed of each source in a trial with this seed; that of the split is added to ``split_seed``."""
        held: dict[Source, int] = {source: 0 if source == "split" else self.hold_at for source in SOURCES}
        return held | dict.fromkeys(self.vary, seed)


def _accept_list(value: Any) -> Any:
    """Accept a list of sources in place of a mapping."""
    fields = {"vary": value} if isinstance(value, list | tuple) else value
    if isinstance(fields, dict) and isinstance(fields.get("vary"), list):
        # A tuple, because validation is strict.
        return {**fields, "vary": tuple(fields["vary"])}
    return fields


Replicate: TypeAlias = Annotated[
    Replication, BeforeValidator(_accept_list, json_schema_input_type=Replication | tuple[Source, ...])
]
