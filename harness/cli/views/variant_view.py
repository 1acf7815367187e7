"""The catalogue, one variant, and two compared, as tables on a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rich.table import Table

from harness.cli.console import out, print_failure
from harness.cli.views.block_diagram import draw_block, format_shape
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api.networks.catalogue import CatalogueList, VariantComparison, VariantInspection
    from harness.specs import LayerPlan

COUNTING_RULE = (
    "MACs of convolutions and linear layers for one image: for the residual family summed over the layer plan, for "
    "other networks counted by fvcore. 1 MAC = 2 FLOPs."
)


def print_catalogue(catalogue: CatalogueList, counted: bool) -> None:
    """Print the list of variants.

    Args:
        counted: Whether networks of other libraries were counted for this list.
    """
    table = _table(
        ("variant", "kind", "depth", "block", "shortcut", "input", "parameters", "MACs", "twin"),
        right={"depth", "parameters", "MACs"},
    )
    for row in catalogue.rows:
        cells = (f"{value:,}" if isinstance(value, int) else escape_rich(value or "–") for value in vars(row).values())
        table.add_row(*cells)
    out.print_table(table)
    for name, reason in catalogue.failures.items():
        print_failure(name, reason, "not counted")
    out.print(f"Also at any depth: {escape_rich(', '.join(catalogue.depth_rules))}. {COUNTING_RULE}")
    if catalogue.too_small:
        names = escape_rich(", ".join(catalogue.too_small))
        out.print(f"Left out, because their total stride is larger than these images: {names}.")
    if catalogue.uncounted and not counted:
        out.print(
            f"{catalogue.uncounted} networks of other libraries are not counted yet. --count counts them once; each "
            "takes some seconds."
        )


def inspection_as_json(inspection: VariantInspection, batch: int) -> dict[str, Any]:
    """Return one variant with its costs as values for JSON.

    Args:
        batch: Images in the training step whose memory is estimated.
    """
    variant, costs = inspection.variant, inspection.costs
    content = {
        "name": variant.name,
        "family": variant.family,
        "depth": inspection.depth,
        "spec": variant.model_dump(mode="json"),
        "input": [variant.in_channels, *inspection.size],
        "counter": costs.counter,
        "parameters": costs.params,
        "macs": costs.macs,
        "flops": costs.flops,
        "activations": costs.activations,
        "weight_bytes": inspection.weight_bytes,
    }
    if inspection.plan is not None:
        content |= {"training_bytes": inspection.plan.training_bytes(batch), "batch": batch}
    return content | {"parts": [vars(part) for part in inspection.parts]}


def print_inspection(inspection: VariantInspection, batch: int) -> None:
    """Print one variant: its spec, the costs of its parts, its memory, and a drawing of its blocks.

    Args:
        batch: Images in the training step whose memory is estimated.
    """
    variant, plan = inspection.variant, inspection.plan
    out.print_lines(
        f"[bold]{escape_rich(variant.name)}[/bold], depth {inspection.depth}, images of "
        f"{variant.in_channels}x{inspection.size[0]}x{inspection.size[1]}: "
        f"{escape_rich(json.dumps(variant.identity()))}"
    )
    out.print_table(_parts_table(inspection))
    out.print(f"MACs of convolutions and linear layers for one image, by {inspection.costs.counter}; 1 MAC = 2 FLOPs.")
    memory = f"The weights take {_format_megabytes(inspection.weight_bytes)} in fp32."
    if plan is not None:
        memory += (
            f" A training step of {batch} images with SGD takes about {_format_megabytes(plan.training_bytes(batch))}, "
            "without the workspaces of the kernels."
        )
    out.print(memory)
    for line in _draw_blocks(plan) if plan is not None else ():
        out.print(line, markup=False, soft_wrap=True)


def _parts_table(inspection: VariantInspection) -> Table:
    costs = inspection.costs
    table = _table(("part", "output", "parameters", "MACs", "FLOPs", "activations"), left={"part", "output"})
    total = ("all", (), costs.params, costs.macs, costs.activations)
    for name, output, params, macs, activations in [*(tuple(vars(part).values()) for part in inspection.parts), total]:
        counts = (f"{count:,}" for count in (params, macs, 2 * macs, activations))
        table.add_row(escape_rich(name), format_shape(output), *counts, style="bold" if name == "all" else None)
    return table


def _draw_blocks(plan: LayerPlan) -> list[str]:
    """Draw the block that changes the shape, and the block that the rest of the stage repeats, side by side."""
    stage = plan.stages[min(1, len(plan.stages) - 1)]
    titles = [f"{stage[0].name}, the first of {len(stage)} blocks"]
    titles += [f"{block.name}, the next block" for block in stage[1:2]]
    drawings = [
        [title, "", *draw_block(block, plan.variant.activation)] for title, block in zip(titles, stage, strict=False)
    ]
    width = max(map(len, drawings[0])) + 6
    lines = zip_longest(*drawings, fillvalue="")
    return ["", *("".join(f"{part:<{width}}" for part in parts).rstrip() for parts in lines)]


def comparison_as_json(compared: VariantComparison) -> dict[str, Any]:
    """Return the comparison of two variants as values for JSON."""
    comparison = compared.comparison
    return {
        "input": [compared.first.in_channels, *compared.size],
        "fields": comparison.fields,
        "costs": _compared_costs(compared),
        "twins": comparison.twins,
        "shortcuts": [vars(row) for row in comparison.shortcuts or ()],
    }


def print_comparison(compared: VariantComparison) -> None:
    """Print which fields of two variants differ, the ratio of their costs, and whether they are twins."""
    first, second = compared.first, compared.second
    table = _table(("", escape_rich(first.name), escape_rich(second.name), "difference", "ratio"), left={""})
    for field, (mine, theirs) in compared.comparison.fields.items():
        table.add_row(field, escape_rich(_format_value(mine)), escape_rich(_format_value(theirs)), "", "")
    for cost, (mine, theirs) in _compared_costs(compared).items():
        table.add_row(cost, f"{mine:,}", f"{theirs:,}", f"{mine - theirs:+,}", f"{mine / theirs:.4f}", style="bold")
    out.print_table(table)
    out.print(f"At {first.in_channels}x{compared.size[0]}x{compared.size[1]}. {COUNTING_RULE}")
    out.print(_describe_relation(compared))


def _describe_relation(compared: VariantComparison) -> str:
    fields, shortcuts = compared.comparison.fields, compared.comparison.shortcuts
    if shortcuts is not None:
        added = [
            f"The shortcuts of {escape_rich(variant.name)} add {row.params:,} parameters and {row.macs:,} MACs."
            for variant, row in zip((compared.first, compared.second), shortcuts, strict=True)
            if not variant.is_plain
        ]
        return " ".join(["They are twins: only the shortcuts differ.", *added])
    if not fields:
        return "They are the same network."
    if "kind" in fields:
        return "They are not twins: only two variants of the residual family can be twins."
    return f"They are not twins: {', '.join(fields)} {'differs' if len(fields) == 1 else 'differ'}."


def _compared_costs(compared: VariantComparison) -> dict[str, tuple[int, int]]:
    one, other = compared.comparison.costs
    return {
        "depth": (one.layers or compared.first.depth, other.layers or compared.second.depth),
        "parameters": (one.params, other.params),
        "MACs": (one.macs, other.macs),
        "activations": (one.activations, other.activations),
    }


def _table(headings: Iterable[str], left: set[str] | None = None, right: set[str] | None = None) -> Table:
    """Return an empty table; ``left`` or ``right`` names the columns that are aligned so, the others are not."""
    table = Table(box=None, header_style="bold")
    for heading in headings:
        is_left = heading in left if left is not None else heading not in (right or ())
        table.add_column(heading, justify="left" if is_left else "right")
    return table


def _format_value(value: Any) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _format_megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
