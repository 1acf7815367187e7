"""The command that holds given weights against images, thin: evaluate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Json, Name, err, out
from harness.text import escape_rich

app = typer.Typer()


@app.command()
def evaluate(
    name: Name,
    weights: Annotated[
        str,
        typer.Option("--weights", help="A file of torch.save, or torchvision's name: IMAGENET1K_V1.", metavar="FILE"),
    ],
    data_root: Annotated[Path, typer.Option("--data-root", help="DIR/val/<class>/<image>, or DIR/<class>/<image>.")],
    batch: Annotated[int, typer.Option("--batch", help="Images at once.")] = 128,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    resize: Annotated[int | None, typer.Option("--resize", help="Shorter side before the crop.", min=1)] = None,
    crop: Annotated[int | None, typer.Option("--crop", help="Side of the central crop.", min=1)] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch torchvision's weights.")] = False,
    as_json: Json = False,
) -> None:
    """Top-1 and top-5 of a variant with given weights, on one central crop of each image.

    Example: harness evaluate resnet34 --weights IMAGENET1K_V1 --data-root /data/imagenet
    """
    from rich.progress import Progress

    from harness.api.evaluation import evaluate as run

    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(escape_rich(f"{name}, images"), total=None)
        found = run(
            name,
            weights,
            data_root,
            batch,
            device,
            resize,
            crop,
            download,
            lambda counted, total: bar.update(task, completed=counted.images, total=total),
        )
    if as_json:
        typer.echo(json.dumps(found.__dict__, indent=2))
        return
    top1, top5 = 100 * found.top1 / found.images, 100 * found.top5 / found.images
    out.print(
        f"[bold]{escape_rich(found.variant)}[/bold] with {escape_rich(found.weights)}: top-1 {top1:.2f} % "
        f"(95 % over images {found.interval[0]:.2f} to {found.interval[1]:.2f}), top-5 {top5:.2f} %",
        soft_wrap=True,
    )
    out.print(f"{found.images:,} images of {found.classes:,} classes, one central crop ({found.transform}).")
    if found.published is not None:
        out.print(f"torchvision publishes {found.published[0]:.3f} and {found.published[1]:.3f} %.")
