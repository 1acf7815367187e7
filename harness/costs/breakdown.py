"""Where a variant's costs lie, stage by stage and layer by layer, and what two variants differ in. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.specs import LayerPlan, Variant
from harness.specs.layers import Layer, Shape


@dataclass(frozen=True)
class Row:
    """Costs of a part of a network for one image.

    Attributes:
        output: Shape (channels, height, width) of what the part returns.
        macs: Multiply-accumulates of convolutions and linear layers; FLOPs are twice that.
        activations: Output elements of convolutions and linear layers.
    """

    name: str
    output: Shape
    params: int
    macs: int
    activations: int

    @classmethod
    def over(cls, name: str, layers: Iterable[Layer], output: Shape) -> Row:
        """The sum over some layers."""
        inside = tuple(layers)
        return cls(
            name,
            output,
            sum(layer.params for layer in inside),
            sum(layer.macs for layer in inside),
            sum(layer.activations for layer in inside),
        )


def by_stage(plan: LayerPlan) -> list[Row]:
    """Stem, stages and head."""
    ends = [plan.stem[-1].output, *(stage[-1].output for stage in plan.stages), plan.head.output]
    return [Row.over(name, layers, end) for (name, layers), end in zip(plan.parts(), ends, strict=True)]


def by_layer(plan: LayerPlan) -> Iterator[Row]:
    """Every layer that costs anything, in order of execution."""
    return (Row.over(layer.name, [layer], layer.output) for layer in plan.layers() if layer.params or layer.macs)


@dataclass(frozen=True)
class Comparison:
    """What two variants differ in, at one input size.

    Attributes:
        fields: The spec's fields that differ: what a has, what b has.
        twins: Whether the shortcut is all that differs.
        shortcuts: Costs of the shortcuts of each.
    """

    a: LayerPlan
    b: LayerPlan
    fields: dict[str, tuple[Any, Any]]
    twins: bool
    shortcuts: tuple[Row, Row]


def compare(a: Variant, b: Variant, size: tuple[int, int]) -> Comparison:
    """Two variants side by side, for images of that height and width."""
    mine, theirs = a.model_dump(mode="json"), b.model_dump(mode="json")
    fields = {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key] and key not in Variant.labels}
    plans = a.plan(size), b.plan(size)
    return Comparison(*plans, fields, set(fields) == {"shortcut"}, (_shortcuts(plans[0]), _shortcuts(plans[1])))


def _shortcuts(plan: LayerPlan) -> Row:
    layers = (layer for stage in plan.stages for block in stage for layer in block.shortcut or ())
    return Row.over("shortcuts", layers, plan.stages[-1][-1].output)
