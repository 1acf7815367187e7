"""The commands on the catalogue of variants: variants, inspect, compare."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated

import typer

from harness.cli.console import out, print_json
from harness.cli.parameters import InputShape, Json, Variant, with_options
from harness.settings import Settings
from harness.text import escape_rich

app = typer.Typer()


@app.command("variants")
@with_options(Settings, "no_code")
def list_variants(
    settings: Settings,
    words: Annotated[
        list[str] | None,
        typer.Argument(help="List only variants whose name contains one of these words.", metavar="[WORD]..."),
    ] = None,
    shape: InputShape = None,
    count: Annotated[
        bool, typer.Option("--count", help="Also count networks of other libraries that were not counted yet.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the named variants with depth, parameters, MACs, shortcut and twin.

    The depth of a network of another library is the number of its convolutions and linear layers.

    With --count, the code of networks of `kind: python` is imported. --no-code leaves them uncounted.

    Example: harness variants plain --input 3x32x32
    """
    from harness.api.networks import catalogue
    from harness.cli.views.variant_view import print_catalogue

    listing = catalogue.list_variants(words or (), shape, count, _show_counting, settings.no_code)
    if as_json:
        print_json([vars(row) for row in listing.rows])
    else:
        print_catalogue(listing, count)


@app.command("inspect")
@with_options(Settings, "no_code")
def inspect_variant(
    settings: Settings,
    name: Variant,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Change a field of the variant: widths=[8,16,32], shortcut=none. Repeat it for more fields.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    shape: InputShape = None,
    batch: Annotated[
        int, typer.Option("--batch", help="Images in the training step whose memory is estimated.", min=1)
    ] = 128,
    every_layer: Annotated[bool, typer.Option("--layers", help="Print a row for each layer, not each stage.")] = False,
    as_json: Json = False,
) -> None:
    """Show one variant: the shapes and costs of its stages, and a drawing of its blocks.

    The code of a network of `kind: python` is imported. --no-code refuses it.

    Example: harness inspect resnet50 --input 3x64x64 --set preactivation=true
    """
    from harness.api.networks import catalogue
    from harness.cli.views.variant_view import inspection_as_json, print_inspection

    inspection = catalogue.inspect_variant(name, overrides or (), shape, every_layer, _show_counting, settings.no_code)
    if as_json:
        print_json(inspection_as_json(inspection, batch))
    else:
        print_inspection(inspection, batch)


@app.command("compare")
@with_options(Settings, "no_code")
def compare_variants(
    settings: Settings, first: Variant, second: Variant, shape: InputShape = None, as_json: Json = False
) -> None:
    """Compare two variants: which fields and costs differ, and whether one is the other's twin.

    The code of networks of `kind: python` is imported. --no-code refuses it.

    Example: harness compare resnet18 plain18
    """
    from harness.api.networks import catalogue
    from harness.cli.views.variant_view import comparison_as_json, print_comparison

    compared = catalogue.compare_variants(first, second, shape, settings.no_code)
    if as_json:
        print_json(comparison_as_json(compared))
    else:
        print_comparison(compared)


def _show_counting(name: str) -> AbstractContextManager[object]:
    return out.status(f"Counting {escape_rich(name)} ...")
