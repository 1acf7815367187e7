"""Ladders: the networks that a match may choose from, in the order of their size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, product
from math import ceil, floor
from typing import Protocol

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.external import ExternalNetwork
from harness.specs.network.variant import Variant

MOST_SCALE = 1000.0
"""Largest factor, up or down, by which a network is changed."""
MOST_REFINED = 256
"""Most networks with other rounding that are tried beside one of a ladder."""
WIDEST = 65_536
"""Limit on a width and on an argument."""


class Ladder(Protocol):
    """Networks that differ in one size. A scale is that size, divided by the size of the selected network.

    Attributes:
        few: Between two scales with so few networks, a search tries them one by one.
    """

    few: int
    base: AnyVariant
    lowest: float
    highest: float

    def at(self, scale: float) -> AnyVariant:
        """Return the network at a scale; between two networks, the nearest one."""
        ...

    def scale_of(self, variant: AnyVariant) -> float:
        """Return the scale of a network of the ladder."""
        ...

    def count_between(self, low: float, high: float) -> int:
        """Return how many networks follow the one at ``low``, up to the one at ``high``."""
        ...

    def around(self, scale: float, count: int) -> list[AnyVariant]:
        """Return about ``count`` distinct networks nearest to a scale, the smallest first."""
        ...

    def refine(self, variant: AnyVariant) -> Sequence[AnyVariant]:
        """Return networks between those of the ladder that are next to one of them; empty if there are none."""
        ...


class WidthLadder:
    """A residual network with all widths multiplied by a common factor and rounded to whole channels."""

    few = 6

    def __init__(self, base: Variant) -> None:
        self.base: AnyVariant = base
        self._variant, self.widths = base, base.widths
        self.lowest = max(0.5 / max(self.widths), 1 / MOST_SCALE)
        self.highest = min(WIDEST / max(self.widths), MOST_SCALE)

    def widths_at(self, scale: float) -> tuple[int, ...]:
        """Return the widths at a scale: halves are rounded up, and no width is below 1."""
        return tuple(min(max(floor(width * scale + 0.5), 1), WIDEST) for width in self.widths)

    def at(self, scale: float) -> Variant:
        """Return the network at a scale."""
        return with_fields(self._variant, {"widths": self.widths_at(scale)})

    def scale_of(self, variant: AnyVariant) -> float:
        """Return the sum of its widths, divided by that of the selected network."""
        assert isinstance(variant, Variant)
        return sum(variant.widths) / sum(self.widths)

    def count_between(self, low: float, high: float) -> int:
        """Return how many steps of one channel are between two scales."""
        return sum(self.widths_at(high)) - sum(self.widths_at(low))

    def around(self, scale: float, count: int) -> list[AnyVariant]:
        """Return the networks between the nearest scales at which some width changes."""
        breaks = sorted(
            {
                (channels + 0.5) / width
                for width in set(self.widths)
                for channels in range(max(floor(width * scale) - count, 0), floor(width * scale) + count + 1)
            }
        )
        middle = bisect_left(breaks, scale)
        near = breaks[max(middle - count // 2 - 1, 0) : middle + count // 2 + 1]
        scales = [(low + high) / 2 for low, high in pairwise(near)]
        return [with_fields(self._variant, {"widths": widths}) for widths in dict.fromkeys(map(self.widths_at, scales))]

    def refine(self, variant: AnyVariant) -> Sequence[AnyVariant]:
        """Return the networks near one of the ladder in which single widths are rounded to the other side."""
        scale = self.scale_of(variant)
        choices = [sorted({max(floor(width * scale), 1), ceil(width * scale)}) for width in self.widths]
        return [with_fields(self._variant, {"widths": widths}) for widths in product(*choices)][:MOST_REFINED]


class StepLadder:
    """Networks of which each has one whole number: the blocks of each stage, or an argument of an external network.

    Args:
        values: The possible numbers, rising.
        number_of: Returns the number of a network.
        build: Returns the network of a number.
    """

    few = 1

    def __init__(
        self,
        base: AnyVariant,
        values: Sequence[int],
        number_of: Callable[[AnyVariant], int],
        build: Callable[[int], AnyVariant],
    ) -> None:
        self.base, self.values, self.number_of, self.build = base, values, number_of, build
        self.start = start = number_of(base)
        self.lowest = max(values[0] / start, 1 / MOST_SCALE)
        self.highest = min(values[-1] / start, MOST_SCALE)

    def _index(self, scale: float) -> int:
        after = min(bisect_left(self.values, scale * self.start), len(self.values) - 1)
        return min((max(after - 1, 0), after), key=lambda index: abs(self.values[index] - scale * self.start))

    def at(self, scale: float) -> AnyVariant:
        """Return the network at a scale."""
        return self.build(self.values[self._index(scale)])

    def scale_of(self, variant: AnyVariant) -> float:
        """Return its number, divided by that of the selected network."""
        return self.number_of(variant) / self.start

    def count_between(self, low: float, high: float) -> int:
        """Return how many networks follow the one at ``low``, up to the one at ``high``."""
        return self._index(high) - self._index(low)

    def around(self, scale: float, count: int) -> list[AnyVariant]:
        """Return the networks of the nearest numbers."""
        first = max(self._index(scale) - count // 2, 0)
        return [self.build(value) for value in self.values[first : first + count]]

    def refine(self, variant: AnyVariant) -> Sequence[AnyVariant]:
        """Return no network: there is none between two steps."""
        return []


def depth_ladder(base: Variant, blocks: Sequence[tuple[int, ...]]) -> StepLadder:
    """Return the networks with other numbers of blocks.

    Args:
        blocks: Blocks of each stage of the depths that the family allows.
    """
    by_sum = {sum(each): each for each in sorted(blocks, key=sum) if len(each) == len(base.widths)}
    return StepLadder(
        base,
        list(by_sum),
        lambda variant: sum(variant.blocks) if isinstance(variant, Variant) else 0,
        lambda total: with_fields(base, {"blocks": by_sum[total]}),
    )


def argument_ladder(base: ExternalNetwork, argument: str) -> StepLadder:
    """Return the external networks with other values of one whole number in ``args``."""
    return StepLadder(
        base,
        range(1, WIDEST + 1),
        lambda variant: int(variant.args[argument]) if isinstance(variant, ExternalNetwork) else 0,
        lambda value: base.model_copy(update={"args": {**base.args, argument: value}}),
    )


def with_fields(base: Variant, fields: Mapping[str, object]) -> Variant:
    """Return a residual network with other fields, checked.

    Raises:
        HarnessError: No network has these fields.
    """
    try:
        return Variant.model_validate({**base.model_dump(), **fields})
    except ValidationError as error:
        raise HarnessError(
            f"{base.name} cannot have {fields}: {error.errors()[0]['msg']}",
            where="match",
            remedy="Choose another network, or change the other dimension.",
        ) from error


def changed_fields(base: AnyVariant, other: AnyVariant) -> dict[str, object]:
    """Return the fields in which the network of a ladder differs from its base, as plain JSON values."""
    before, after = base.model_dump(mode="json"), other.model_dump(mode="json")
    fields = {name: value for name, value in after.items() if value != before[name]}
    if "args" in fields:
        fields["args"] = {key: value for key, value in after["args"].items() if before["args"].get(key) != value}
    return fields
