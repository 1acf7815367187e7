"""The commands on the catalogue of variants, thin: variants, inspect, compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from harness.cli.options import Input, Json, Name, VariantOverrides, err, image_shape, out
from harness.errors import HarnessError
from harness.specs.network.layer_plan import plan_layers
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.costs.complexity import StaticCosts
    from harness.costs.complexity_by_stage import CostRow
    from harness.specs import LayerPlan
    from harness.specs.network.any_variant import AnyVariant

app = typer.Typer()

COUNTED = (
    "MACs of convolutions and linear layers for one image, of the residual family summed over the layer plan, of "
    "others counted by fvcore; 1 MAC = 2 FLOPs."
)


@app.command("variants")
def variants(
    patterns: Annotated[
        list[str] | None, typer.Argument(help="Only names that hold one of these words.", metavar="[WORD]...")
    ] = None,
    given: Input = None,
    count: Annotated[
        bool, typer.Option("--count", help="Also count networks of other libraries that were not counted yet.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The catalogue: depth, parameters, MACs, shortcut and twin of every named variant.

    The depth of a network of another library is the number of its convolutions and linear layers.

    Example: harness variants plain --input 3x32x32
    """
    from harness.specs import Catalogue, ExternalNetwork
    from harness.specs.catalogue.families import Family
    from harness.specs.network.layer_plan import TooSmall

    catalogue = Catalogue.load()
    rows: list[dict[str, Any]] = []
    uncounted = 0
    too_small: list[str] = []
    for variant, twin in catalogue.networks():
        if patterns and not any(word in variant.name for word in patterns):
            continue
        side = catalogue.family(variant.family).input_size
        try:
            variant, size = fit_input(variant, given, side)
        except TooSmall:
            too_small.append(variant.name)
            continue
        costs = _costs(variant, size, count)
        uncounted += costs is None
        rows.append(
            {
                "name": variant.name,
                "kind": variant.kind,
                "depth": (costs.layers if costs else None) if isinstance(variant, ExternalNetwork) else variant.depth,
                "block": variant.block,
                "shortcut": variant.shortcut,
                "input": f"{variant.in_channels}x{size[0]}x{size[1]}",
                "parameters": costs.params if costs else None,
                "macs": costs.macs if costs else None,
                "twin": twin,
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, header_style="bold")
    for heading in ("variant", "kind", "depth", "block", "shortcut", "input", "parameters", "MACs", "twin"):
        table.add_column(heading, justify="right" if heading in ("depth", "parameters", "MACs") else "left")
    for row in rows:
        table.add_row(
            *(f"{value:,}" if isinstance(value, int) else escape_rich(value or "–") for value in row.values())
        )
    out.print(table)
    rules = [
        escape_rich(f"{f.member_prefix}N with N = {rule} ({block})")
        for f in catalogue.families.values()
        if isinstance(f, Family)
        for block, rule in f.depth.items()
    ]
    out.print(f"Also at any depth: {', '.join(rules)}. {COUNTED}")
    if too_small:
        out.print(
            f"Left out, since such images are smaller than their total stride: {escape_rich(', '.join(too_small))}."
        )
    if uncounted and not count:
        out.print(f"{uncounted} of other libraries are not counted yet: --count does it once, some seconds for each.")


def _costs(variant: AnyVariant, size: tuple[int, int], count: bool) -> StaticCosts | None:
    """None where a foreign network was not counted before and is not to be, or is not installed."""
    from harness.costs.complexity import cached_costs, static_costs
    from harness.specs import ExternalNetwork

    try:
        if isinstance(variant, ExternalNetwork):
            variant = variant.located()
            if not count:
                return cached_costs(variant, size)
        with out.status(f"Counting {escape_rich(variant.name)} ..."):
            return static_costs(variant, size)
    except HarnessError as error:
        if count:
            err.print(f"{escape_rich(variant.name)}: {escape_rich(error.what)}", soft_wrap=True)
        return None


def fit_input(variant: AnyVariant, given: str | None, side: int) -> tuple[AnyVariant, tuple[int, int]]:
    """The variant with the channels of ``--input``, and the images' height and width.

    Raises:
        HarnessError: It is no shape, or smaller than the network's total stride.
    """
    from harness.specs import Variant
    from harness.specs.network.layer_plan import require_input

    channels, height, width = image_shape(given) if given is not None else (None, side, side)
    if isinstance(variant, Variant):
        require_input(variant, (height, width))
    if channels is not None:
        variant = variant.model_copy(update={"in_channels": channels})
    return variant, (height, width)


@app.command()
def inspect(
    name: Name,
    overrides: VariantOverrides = None,
    given: Input = None,
    batch: Annotated[int, typer.Option("--batch", help="Images in a training step, for its memory.", min=1)] = 128,
    every_layer: Annotated[bool, typer.Option("--layers", help="A row for each layer, not for each stage.")] = False,
    as_json: Json = False,
) -> None:
    """One variant: its stages with shapes and costs, and a drawing of its blocks.

    Example: harness inspect resnet50 --input 3x64x64 --set preactivation=true
    """
    from harness.costs.complexity import static_costs
    from harness.costs.complexity_by_stage import by_layer, by_stage
    from harness.specs import Catalogue, ExternalNetwork

    catalogue = Catalogue.load()
    variant = catalogue.changed(name, overrides or ())
    variant, size = fit_input(variant, given, catalogue.family(variant.family).input_size)
    if isinstance(variant, ExternalNetwork):
        if every_layer:
            raise HarnessError(f"{variant.name} has no layer plan", where="--layers", remedy="Leave it out.")
        variant = variant.located()
        with out.status(f"Counting {escape_rich(variant.name)} ..."):
            costs, rows = static_costs(variant, size), by_stage(variant, size)
        plan, drawing = None, []
    else:
        plan = plan_layers(variant, size)
        costs = static_costs(variant, size)
        rows = list(by_layer(plan)) if every_layer else by_stage(variant, size)
        drawing = _drawing(plan)
    memory = {"weight_bytes": 4 * costs.params}
    if plan is not None:
        memory |= {"training_bytes": plan.training_bytes(batch), "batch": batch}
    if as_json:
        described = {
            "name": variant.name,
            "family": variant.family,
            "depth": costs.layers or variant.depth,
            "spec": variant.model_dump(mode="json"),
            "input": [variant.in_channels, *size],
            "counter": costs.counter,
            "parameters": costs.params,
            "macs": costs.macs,
            "flops": costs.flops,
            "activations": costs.activations,
            **memory,
            "parts": [row.__dict__ for row in rows],
        }
        typer.echo(json.dumps(described, indent=2))
        return
    out.print(
        f"[bold]{escape_rich(variant.name)}[/bold], depth {costs.layers or variant.depth}, "
        f"images of {variant.in_channels}x{size[0]}x{size[1]}: {escape_rich(json.dumps(variant.identity()))}",
        soft_wrap=True,
    )
    out.print(_table(rows, costs))
    out.print(f"MACs of convolutions and linear layers for one image, by {costs.counter}; 1 MAC = 2 FLOPs.")
    out.print(f"Weights {_megabytes(memory['weight_bytes'])} in fp32.", end=" " if plan is not None else "\n")
    if plan is not None:
        out.print(
            f"A training step of {batch} images with SGD takes about {_megabytes(memory['training_bytes'])}, "
            "without the kernels' workspaces."
        )
    for line in drawing:
        out.print(line, markup=False, soft_wrap=True)


def _table(rows: Sequence[CostRow], costs: StaticCosts) -> Table:
    from harness.cli.views.block_diagram import shape

    table = Table("part", "output", box=None, header_style="bold")
    for heading in ("parameters", "MACs", "FLOPs", "activations"):
        table.add_column(heading, justify="right")
    whole = ("all", (), costs.params, costs.macs, costs.activations)
    for name, output, params, macs, activations in [*(tuple(row.__dict__.values()) for row in rows), whole]:
        style = "bold" if name == "all" else None
        table.add_row(
            escape_rich(name),
            shape(output),
            f"{params:,}",
            f"{macs:,}",
            f"{2 * macs:,}",
            f"{activations:,}",
            style=style,
        )
    return table


def _drawing(plan: LayerPlan) -> list[str]:
    """The block that changes shape, and the one that stands in the stages' rest, side by side."""
    from harness.cli.views.block_diagram import block_diagram

    stage = plan.stages[min(1, len(plan.stages) - 1)]
    blocks = [stage[0], *stage[1:2]]
    titles = [
        f"{block.name}, {f'the first of {len(stage)} blocks' if n == 0 else 'and after it'}"
        for n, block in enumerate(blocks)
    ]
    drawn = [[title, "", *block_diagram(b, plan.variant.activation)] for title, b in zip(titles, blocks, strict=True)]
    width = max(map(len, drawn[0])) + 6
    return [
        "",
        *("".join(f"{line:<{width}}" for line in lines).rstrip() for lines in zip_longest(*drawn, fillvalue="")),
    ]


@app.command()
def compare(a: Name, b: Name, given: Input = None, as_json: Json = False) -> None:
    """Two variants: which fields differ, what that costs, and whether one is the other's twin.

    Example: harness compare resnet18 plain18
    """
    from harness.costs import complexity_by_stage
    from harness.specs import Catalogue, ExternalNetwork

    catalogue = Catalogue.load()
    side = catalogue.family(catalogue.get(a).family).input_size
    (first, size), (second, _) = (fit_input(catalogue.get(name), given, side) for name in (a, b))
    first, second = (v.located() if isinstance(v, ExternalNetwork) else v for v in (first, second))
    found = complexity_by_stage.compare_costs(first, second, size)
    one, other = found.costs
    costs = {
        "depth": (one.layers or first.depth, other.layers or second.depth),
        "parameters": (one.params, other.params),
        "MACs": (one.macs, other.macs),
        "activations": (one.activations, other.activations),
    }
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "input": [first.in_channels, *size],
                    "fields": found.fields,
                    "costs": costs,
                    "twins": found.twins,
                    "shortcuts": [row.__dict__ for row in found.shortcuts or ()],
                },
                indent=2,
            )
        )
        return
    table = Table("", box=None, header_style="bold")
    for heading in (escape_rich(first.name), escape_rich(second.name), "difference", "ratio"):
        table.add_column(heading, justify="right")
    for field, (mine, theirs) in found.fields.items():
        table.add_row(field, escape_rich(_value(mine)), escape_rich(_value(theirs)), "", "")
    for key, (mine, theirs) in costs.items():
        table.add_row(key, f"{mine:,}", f"{theirs:,}", f"{mine - theirs:+,}", f"{mine / theirs:.4f}", style="bold")
    out.print(table)
    out.print(f"At {first.in_channels}x{size[0]}x{size[1]}. {COUNTED}")
    if found.shortcuts is not None:
        has = [
            f"{escape_rich(variant.name)}'s add {row.params:,} parameters and {row.macs:,} MACs"
            for variant, row in zip((first, second), found.shortcuts, strict=True)
            if not variant.plain
        ]
        out.print(f"They are twins: only the shortcuts differ. {'; '.join(has)}.")
    elif not found.fields:
        out.print("They are the same network.")
    elif "kind" in found.fields:
        out.print("They are no twins: one is of the residual family, or each is of another library.")
    else:
        out.print(f"They are no twins: {', '.join(found.fields)} differ{'s' * (len(found.fields) == 1)}.")


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
