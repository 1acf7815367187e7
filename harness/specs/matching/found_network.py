"""The result of a match: as it is recorded, and the network that follows from it."""

from __future__ import annotations

from collections.abc import Callable

from harness.specs.matching.ladder import changed_fields, with_fields
from harness.specs.matching.match import FoundMatch
from harness.specs.matching.match_costs import MeasuredRatio
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.external import ExternalNetwork


def record_counted(
    key: str,
    base: AnyVariant,
    to: AnyVariant,
    variant: AnyVariant,
    count: Callable[[AnyVariant], float],
    target: float,
) -> FoundMatch:
    """Return what is recorded of a network whose cost was counted.

    Args:
        key: Hash of the request.
        base: The selected network before the match.
        to: The network whose cost is matched.
        variant: The network that was found.
        count: Counts the cost of a network.
        target: The cost of ``to``.
    """
    cost = count(variant)
    return FoundMatch(
        key=key,
        variant=base.name,
        result=base.name,
        to=to.name,
        fields=changed_fields(base, variant),
        cost=cost,
        target=target,
        ratio=cost / target,
    )


def record_measured(key: str, base: AnyVariant, to: AnyVariant, measured: MeasuredRatio) -> FoundMatch:
    """Return what is recorded of a network whose step time was measured; see :func:`record_counted`."""
    return FoundMatch(
        key=key,
        variant=base.name,
        result=base.name,
        to=to.name,
        fields=changed_fields(base, measured.variant),
        cost=measured.cost,
        target=measured.target,
        ratio=measured.ratio,
        low=measured.low,
        high=measured.high,
        conditions=measured.conditions,
    )


def apply_found(base: AnyVariant, found: FoundMatch) -> AnyVariant:
    """Return the network that was found before."""
    if isinstance(base, ExternalNetwork):
        return base.model_copy(update={"args": {**base.args, **found.fields.get("args", {})}})
    fields = {name: tuple(value) for name, value in found.fields.items() if name in ("widths", "blocks")}
    return with_fields(base, fields)
