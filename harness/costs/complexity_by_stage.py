"""The static costs of a variant stage by stage and layer by layer, and the comparison of two variants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.costs.complexity import StaticCosts, compute_static_costs, count_external_modules
from harness.specs import ExternalNetwork, LayerPlan, Variant
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import plan_layers
from harness.specs.network.layers import Layer


@dataclass(frozen=True)
class CostRow:
    """The costs of a part of a network for one image.

    Attributes:
        name: The name of the stage, module or layer.
        output: Shape (channels, height, width) of what the part returns.
        params: Its parameters.
        macs: Multiply-accumulates of its convolutions and linear layers; FLOPs are twice as many.
        activations: Output elements of its convolutions and linear layers.
    """

    name: str
    output: tuple[int, ...]
    params: int
    macs: int
    activations: int

    @classmethod
    def sum_of(cls, name: str, layers: Iterable[Layer], output: tuple[int, ...]) -> CostRow:
        """Return the sum over several layers."""
        summed = tuple(layers)
        return cls(
            name,
            output,
            sum(layer.params for layer in summed),
            sum(layer.macs for layer in summed),
            sum(layer.activations for layer in summed),
        )


def list_stage_costs(variant: AnyVariant, size: tuple[int, int]) -> list[CostRow]:
    """Return the costs of stem, stages and head; for an external network those of its modules, counted by fvcore.

    Args:
        variant: The network.
        size: Height and width of the images.

    Raises:
        HarnessError: An external network cannot be built, or does not accept such images.
    """
    if isinstance(variant, ExternalNetwork):
        return [CostRow(name, *counts) for name, counts in count_external_modules(variant, size).items()]
    plan = plan_layers(variant, size)
    outputs = [plan.stem[-1].output, *(stage[-1].output for stage in plan.stages), plan.head.output]
    return [CostRow.sum_of(name, layers, output) for (name, layers), output in zip(plan.parts(), outputs, strict=True)]


def list_layer_costs(plan: LayerPlan) -> Iterator[CostRow]:
    """Yield the costs of every layer that has parameters or MACs, in order of execution."""
    return (CostRow.sum_of(layer.name, [layer], layer.output) for layer in plan.layers() if layer.params or layer.macs)


@dataclass(frozen=True)
class CostComparison:
    """The differences between two variants at one input size.

    Attributes:
        costs: The costs of each.
        fields: (first variant's value, second variant's value) of each field that differs; None where a variant does
            not have the field.
        twins: Whether the shortcut is the only difference.
        shortcuts: The costs of the shortcuts of each; None where the variants are no twins.
    """

    costs: tuple[StaticCosts, StaticCosts]
    fields: dict[str, tuple[Any, Any]]
    twins: bool
    shortcuts: tuple[CostRow, CostRow] | None


def compare_costs(first: AnyVariant, second: AnyVariant, size: tuple[int, int]) -> CostComparison:
    """Compare the fields and costs of two variants for images of this height and width.

    Raises:
        HarnessError: An external network cannot be built, or does not accept such images.
    """
    values, other_values = (
        {"kind": variant.kind} | variant.model_dump(mode="json", exclude=set(variant.labels))
        for variant in (first, second)
    )
    keys = dict.fromkeys([*values, *other_values])
    fields = {key: (values.get(key), other_values.get(key)) for key in keys if values.get(key) != other_values.get(key)}
    shortcuts = None
    if set(fields) == {"shortcut"} and isinstance(first, Variant) and isinstance(second, Variant):
        shortcuts = _sum_shortcuts(plan_layers(first, size)), _sum_shortcuts(plan_layers(second, size))
    costs = compute_static_costs(first, size), compute_static_costs(second, size)
    return CostComparison(costs, fields, shortcuts is not None, shortcuts)


def _sum_shortcuts(plan: LayerPlan) -> CostRow:
    layers = (layer for stage in plan.stages for block in stage for layer in block.shortcut or ())
    return CostRow.sum_of("shortcuts", layers, plan.stages[-1][-1].output)
