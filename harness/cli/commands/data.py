"""The command on data sets: data pack."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import out, print_note, print_text
from harness.cli.parameters import Layout, with_options
from harness.settings import RunOptions, Settings
from harness.text import escape_rich

app = typer.Typer(no_args_is_help=True, help="Pack data sets for other machines.")


@app.callback()
def _group() -> None:
    """Keep ``pack`` a command of its own: Typer would merge a single command into the group."""


@app.command()
@with_options(Settings, "data_root")
@with_options(RunOptions, "download")
def pack(
    name: Annotated[
        str, typer.Argument(help="The data set: digits, fashion-mnist, cifar10, cifar100, or imagefolder.")
    ],
    to: Annotated[
        str, typer.Option("--to", help="The file or URL to write; its name ends in .pack.", metavar="FILE|URL")
    ],
    settings: Settings,
    options: RunOptions,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", help="The side in pixels of the images of an imagefolder.", min=4, max=4096),
    ] = None,
    layout: Layout = None,
) -> None:
    """Write a data set into one file, as the uint8 images that trials hold in memory.

    Trials read it with --data-root FILE|URL. They are the same trials, because the file has the same fingerprint. Each
    machine downloads a URL once. The images of an imagefolder are decoded to one size.

    Example: harness data pack imagefolder --data-root photos --image-size 64 --to s3://bucket/photos-64.pack
    """
    from harness.api.data import pack_data

    with out.status(f"Packing {escape_rich(name)} ..."):
        info, size = pack_data(
            name, to, settings.data_root, image_size, options.download, None if layout is None else layout.value
        )
    images = info.train + info.val + (info.test or 0)
    print_text(
        f"{to}: {size / 2**20:,.1f} MiB, {images:,} images of {info.classes} classes, fingerprint {info.fingerprint}."
    )
    for note in info.notes:
        print_note(note, out)
