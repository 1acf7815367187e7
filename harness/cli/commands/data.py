"""The commands on data sets, thin: data pack."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import DataRoot, Download, out
from harness.text import escape_rich

app = typer.Typer(no_args_is_help=True, help="Data sets for other machines.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def pack(
    name: Annotated[str, typer.Argument(help="digits, fashion-mnist, cifar10, cifar100, or imagefolder.")],
    to: Annotated[str, typer.Option("--to", help="A path or URL that ends in .pack.", metavar="FILE|URL")],
    data_root: DataRoot = None,
    image_size: Annotated[
        int | None, typer.Option("--image-size", help="Side in pixels, of an imagefolder.", min=4, max=4096)
    ] = None,
    download: Download = False,
) -> None:
    """Write a data set into one file of uint8 images, as trials hold it in memory.

    Trials with --data-root FILE|URL are the same trials: the file keeps the fingerprint. Each machine fetches a URL
    once. An imagefolder is decoded at one size.

    Example: harness data pack imagefolder --data-root photos --image-size 64 --to s3://bucket/photos-64.pack
    """
    from harness.api.data import pack_data

    with out.status("Packing ..."):
        info, size = pack_data(name, to, data_root, image_size, download)
    test = info.test if info.test else 0
    out.print(
        f"{escape_rich(to)}: {size / 2**20:,.1f} MiB, {info.train + info.val + test:,} images of {info.classes} classes, "
        f"fingerprint {info.fingerprint}.",
        soft_wrap=True,
    )
