"""The commands on the catalogue of variants, thin: list, show."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from harness.cli.options import (
    Json,
    out,
)
from harness.text import shown

app = typer.Typer(help="The catalogue of variants.", no_args_is_help=True)


@app.command("list")
def variants_list(as_json: Json = False) -> None:
    """All named variants with their costs at the family's own input size."""
    from harness.specs import Catalogue

    catalogue = Catalogue.load()
    rows = []
    for variant in catalogue.members():
        side = catalogue.family(variant.family).input_size
        layers = variant.plan(side)
        rows.append(
            {
                "name": variant.name,
                "depth": variant.depth,
                "block": variant.block,
                "shortcut": variant.shortcut,
                "input": f"{variant.in_channels}x{side}x{side}",
                "parameters": layers.params,
                "macs": layers.macs,
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, header_style="bold")
    for heading in rows[0]:
        table.add_column(heading, justify="right" if heading in ("depth", "parameters", "macs") else "left")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else shown(value) for value in row.values()))
    out.print(table)
    rules = [
        f"{f.member_prefix}N with N = {rule} ({block})"
        for f in catalogue.families.values()
        for block, rule in f.depth.items()
    ]
    out.print(f"Also at any depth: {', '.join(rules)}. MACs per image, convolutions and linear layers only.")


@app.command("show")
def variants_show(
    name: Annotated[str, typer.Argument(help="Such as resnet18, cifar-plain56, cifar-resnet1202.")],
    size: Annotated[int | None, typer.Option("--input", help="Side of the image in pixels.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """One variant: its spec, and its stages with shapes and costs."""
    from harness.specs import Catalogue

    catalogue = Catalogue.load()
    variant = catalogue.get(name)
    layers = variant.plan(size or catalogue.family(variant.family).input_size)
    parts = [("stem", layers.stem)]
    parts += [
        (f"stage {n}: {len(stage)} {variant.block} blocks", tuple(layer for block in stage for layer in block.layers()))
        for n, stage in enumerate(layers.stages, start=1)
    ]
    parts.append(("head", (layers.head,)))
    ends = [layers.stem[-1].output, *(stage[-1].output for stage in layers.stages), layers.head.output]
    rows = [
        {"part": part, "output": "x".join(map(str, end)), "parameters": sum(layer.params for layer in inside),
         "macs": sum(layer.macs for layer in inside)}
        for (part, inside), end in zip(parts, ends, strict=True)
    ]  # fmt: skip
    if as_json:
        spec = variant.model_dump(mode="json")
        typer.echo(
            json.dumps(
                {"spec": spec, "depth": variant.depth, "parts": rows, "parameters": layers.params, "macs": layers.macs},
                indent=2,
            )
        )
        return
    out.print(f"[bold]{variant.name}[/bold], depth {variant.depth}: {json.dumps(variant.identity())}")
    table = Table("part", "output", box=None, header_style="bold")
    table.add_column("parameters", justify="right")
    table.add_column("MACs", justify="right")
    for row in rows:
        table.add_row(str(row["part"]), str(row["output"]), f"{row['parameters']:,}", f"{row['macs']:,}")
    table.add_row("all", "", f"{layers.params:,}", f"{layers.macs:,}", style="bold")
    out.print(table)
