"""The commands on the catalogue of variants, thin: variants, inspect, compare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from harness.cli.options import Input, Json, VariantOverrides, image_shape, out
from harness.text import shown

if TYPE_CHECKING:
    from harness.costs.breakdown import Row
    from harness.specs import LayerPlan, Variant

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="Such as resnet18, cifar-plain56, cifar-resnet1202, wrn-28-10.")]
COUNTED = "MACs of convolutions and linear layers for one image, summed over the layer plan; 1 MAC = 2 FLOPs."


@app.command("variants")
def variants(
    patterns: Annotated[
        list[str] | None, typer.Argument(help="Only names that hold one of these words.", metavar="[WORD]...")
    ] = None,
    given: Input = None,
    as_json: Json = False,
) -> None:
    """The catalogue: depth, parameters, MACs, shortcut and twin of every named variant.

    Example: harness variants plain --input 3x32x32
    """
    from harness.specs import Catalogue

    catalogue = Catalogue.load()
    rows = []
    for variant, twin in catalogue.members_with_twins():
        if patterns and not any(word in variant.name for word in patterns):
            continue
        variant, size = fitted(variant, given, catalogue.family(variant.family).input_size)
        layers = variant.plan(size)
        rows.append(
            {
                "name": variant.name,
                "depth": variant.depth,
                "block": variant.block,
                "shortcut": variant.shortcut,
                "input": f"{variant.in_channels}x{size[0]}x{size[1]}",
                "parameters": layers.params,
                "macs": layers.macs,
                "twin": twin,
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, header_style="bold")
    for heading in ("variant", "depth", "block", "shortcut", "input", "parameters", "MACs", "twin"):
        table.add_column(heading, justify="right" if heading in ("depth", "parameters", "MACs") else "left")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else shown(value or "–") for value in row.values()))
    out.print(table)
    rules = [
        f"{f.member_prefix}N with N = {rule} ({block})"
        for f in catalogue.families.values()
        for block, rule in f.depth.items()
    ]
    out.print(f"Also at any depth: {', '.join(rules)}. {COUNTED}")


def fitted(variant: Variant, given: str | None, side: int) -> tuple[Variant, tuple[int, int]]:
    """The variant with the channels of ``--input``, and the images' height and width.

    Raises:
        HarnessError: It is no shape, or smaller than the network's total stride.
    """
    from harness.specs.expansion import require_input

    channels, height, width = image_shape(given) if given is not None else (None, side, side)
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
    from harness.costs.breakdown import by_layer, by_stage
    from harness.specs import Catalogue

    catalogue = Catalogue.load()
    variant = catalogue.changed(name, overrides or ())
    variant, size = fitted(variant, given, catalogue.family(variant.family).input_size)
    plan = variant.plan(size)
    rows = list(by_layer(plan)) if every_layer else by_stage(plan)
    if as_json:
        typer.echo(json.dumps(_described(variant, plan, rows, batch), indent=2))
        return
    out.print(
        f"[bold]{shown(variant.name)}[/bold], depth {variant.depth}, "
        f"images of {variant.in_channels}x{size[0]}x{size[1]}: {shown(json.dumps(variant.identity()))}",
        soft_wrap=True,
    )
    out.print(_table(rows, plan))
    out.print(COUNTED)
    out.print(
        f"Weights {_megabytes(plan.weight_bytes())}; a training step of {batch} images in fp32 with SGD takes about "
        f"{_megabytes(plan.training_bytes(batch))}, without the kernels' workspaces."
    )
    out.print()
    for line in _drawing(plan):
        out.print(line, markup=False, soft_wrap=True)


def _described(variant: Variant, plan: LayerPlan, rows: Iterable[Row], batch: int) -> dict[str, Any]:
    return {
        "name": variant.name,
        "family": variant.family,
        "depth": variant.depth,
        "spec": variant.model_dump(mode="json"),
        "counter": "layer plan",
        "parameters": plan.params,
        "macs": plan.macs,
        "flops": 2 * plan.macs,
        "activations": plan.activations,
        "weight_bytes": plan.weight_bytes(),
        "training_bytes": plan.training_bytes(batch),
        "batch": batch,
        "parts": [row.__dict__ for row in rows],
    }


def _table(rows: Sequence[Row], plan: LayerPlan) -> Table:
    from harness.cli.diagram import shape

    table = Table("part", "output", box=None, header_style="bold")
    for heading in ("parameters", "MACs", "FLOPs", "activations"):
        table.add_column(heading, justify="right")
    counts = {f"stage {n}": len(stage) for n, stage in enumerate(plan.stages, start=1)}
    for row in rows:
        label = f"{row.name}: {counts[row.name]} {plan.variant.block}" if row.name in counts else row.name
        table.add_row(
            label, shape(row.output), f"{row.params:,}", f"{row.macs:,}", f"{2 * row.macs:,}", f"{row.activations:,}"
        )
    table.add_row(
        "all", "", f"{plan.params:,}", f"{plan.macs:,}", f"{2 * plan.macs:,}", f"{plan.activations:,}", style="bold"
    )
    return table


def _drawing(plan: LayerPlan) -> list[str]:
    """The block that changes shape, and the one that stands in the stages' rest, side by side."""
    from harness.cli.diagram import block_diagram

    stage = plan.stages[min(1, len(plan.stages) - 1)]
    blocks = [stage[0], *stage[1:2]]
    titles = [
        f"{block.name}, {f'the first of {len(stage)} blocks' if n == 0 else 'and after it'}"
        for n, block in enumerate(blocks)
    ]
    drawn = [[title, "", *block_diagram(b, plan.variant.activation)] for title, b in zip(titles, blocks, strict=True)]
    width = max(map(len, drawn[0])) + 6
    return ["".join(f"{line:<{width}}" for line in lines).rstrip() for lines in zip_longest(*drawn, fillvalue="")]


@app.command()
def compare(a: Name, b: Name, given: Input = None, as_json: Json = False) -> None:
    """Two variants: which fields differ, what that costs, and whether one is the other's twin.

    Example: harness compare resnet18 plain18
    """
    from harness.costs import breakdown
    from harness.specs import Catalogue

    catalogue = Catalogue.load()
    side = catalogue.family(catalogue.get(a).family).input_size
    (first, size), (second, _) = (fitted(catalogue.get(name), given, side) for name in (a, b))
    found = breakdown.compare(first, second, size)
    costs = {
        "depth": (first.depth, second.depth),
        "parameters": (found.a.params, found.b.params),
        "MACs": (found.a.macs, found.b.macs),
        "activations": (found.a.activations, found.b.activations),
    }
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "input": [first.in_channels, *size],
                    "fields": found.fields,
                    "costs": costs,
                    "twins": found.twins,
                    "shortcuts": [row.__dict__ for row in found.shortcuts],
                },
                indent=2,
            )
        )
        return
    table = Table("", box=None, header_style="bold")
    for heading in (shown(first.name), shown(second.name), "difference", "ratio"):
        table.add_column(heading, justify="right")
    for field, (mine, theirs) in found.fields.items():
        table.add_row(field, shown(_value(mine)), shown(_value(theirs)), "", "")
    for key, (mine, theirs) in costs.items():
        table.add_row(key, f"{mine:,}", f"{theirs:,}", f"{mine - theirs:+,}", f"{mine / theirs:.4f}", style="bold")
    out.print(table)
    out.print(f"At {first.in_channels}x{size[0]}x{size[1]}. {COUNTED}")
    if found.twins:
        has = [
            f"{shown(variant.name)}'s add {row.params:,} parameters and {row.macs:,} MACs"
            for variant, row in zip((first, second), found.shortcuts, strict=True)
            if not variant.plain
        ]
        out.print(f"They are twins: only the shortcuts differ. {'; '.join(has)}.")
    elif not found.fields:
        out.print("They are the same network.")
    else:
        out.print(f"They are no twins: {', '.join(found.fields)} differ{'s' * (len(found.fields) == 1)}.")


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
