"""Where a variant's costs lie, stage by stage and layer by layer, and what two variants differ in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.costs.complexity import StaticCosts, counted_children, static_costs
from harness.specs import ExternalNetwork, LayerPlan, Variant
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import plan_layers
from harness.specs.network.layers import Layer


@dataclass(frozen=True)
class CostRow:
    """Costs of a part of a network for one image.

    Attributes:
        output: Shape (channels, height, width) of what the part returns.
        macs: Multiply-accumulates of convolutions and linear layers; FLOPs are twice that.
        activations: Output elements of convolutions and linear layers.
    """

    name: str
    output: tuple[int, ...]
    params: int
    macs: int
    activations: int

    @classmethod
    def over(cls, name: str, layers: Iterable[Layer], output: tuple[int, ...]) -> CostRow:
        """The sum over some layers."""
        inside = tuple(layers)
        return cls(
            name,
            output,
            sum(layer.params for layer in inside),
            sum(layer.macs for layer in inside),
            sum(layer.activations for layer in inside),
        )


def by_stage(variant: AnyVariant, size: tuple[int, int]) -> list[CostRow]:
    """Stem, stages and head; of a foreign network the modules that it consists of, as fvcore counts them.

    Raises:
        HarnessError: A foreign network cannot be made, or does not take such images.
    """
    if isinstance(variant, ExternalNetwork):
        return [CostRow(name, *costs) for name, costs in counted_children(variant, size).items()]
    plan = plan_layers(variant, size)
    ends = [plan.stem[-1].output, *(stage[-1].output for stage in plan.stages), plan.head.output]
    return [CostRow.over(name, layers, end) for (name, layers), end in zip(plan.parts(), ends, strict=True)]


def by_layer(plan: LayerPlan) -> Iterator[CostRow]:
    """Every layer that costs anything, in order of execution."""
    return (CostRow.over(layer.name, [layer], layer.output) for layer in plan.layers() if layer.params or layer.macs)


@dataclass(frozen=True)
class Comparison:
    """What two variants differ in, at one input size.

    Attributes:
        costs: Of each.
        fields: The spec's fields that differ: what a has, what b has; None where it has no such field.
        twins: Whether the shortcut is all that differs.
        shortcuts: Costs of the shortcuts of each; None where they are no twins.
    """

    costs: tuple[StaticCosts, StaticCosts]
    fields: dict[str, tuple[Any, Any]]
    twins: bool
    shortcuts: tuple[CostRow, CostRow] | None


def compare_costs(a: AnyVariant, b: AnyVariant, size: tuple[int, int]) -> Comparison:
    """Two variants side by side, for images of that height and width.

    Raises:
        HarnessError: A foreign network cannot be made, or does not take such images.
    """
    mine, theirs = ({"kind": v.kind} | v.model_dump(mode="json", exclude=set(v.labels)) for v in (a, b))
    keys = dict.fromkeys([*mine, *theirs])
    fields = {key: (mine.get(key), theirs.get(key)) for key in keys if mine.get(key) != theirs.get(key)}
    shortcuts = None
    if set(fields) == {"shortcut"} and isinstance(a, Variant) and isinstance(b, Variant):
        shortcuts = _shortcuts(plan_layers(a, size)), _shortcuts(plan_layers(b, size))
    return Comparison((static_costs(a, size), static_costs(b, size)), fields, shortcuts is not None, shortcuts)


def _shortcuts(plan: LayerPlan) -> CostRow:
    layers = (layer for stage in plan.stages for block in stage for layer in block.shortcut or ())
    return CostRow.over("shortcuts", layers, plan.stages[-1][-1].output)
