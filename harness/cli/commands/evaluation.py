"""The command that evaluates given weights on images: evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import err, out, print_json
from harness.cli.parameters import Json, Variant
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api.networks.evaluation import Evaluation

app = typer.Typer()


@app.command()
def evaluate(
    name: Variant,
    weights: Annotated[
        str,
        typer.Option(
            "--weights",
            help="A file that torch.save wrote, or the name of torchvision's weights, such as IMAGENET1K_V1.",
            metavar="FILE|NAME",
        ),
    ],
    data_root: Annotated[
        Path, typer.Option("--data-root", help="Images in DIR/val/<class>/<image> or DIR/<class>/<image>.")
    ],
    batch: Annotated[int, typer.Option("--batch", help="Images in a batch.")] = 128,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    resize: Annotated[
        int | None, typer.Option("--resize", help="The shorter side in pixels before the crop.", min=1)
    ] = None,
    crop: Annotated[int | None, typer.Option("--crop", help="The side in pixels of the central crop.", min=1)] = None,
    download: Annotated[bool, typer.Option("--download", help="Download torchvision's weights.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the top-1 and top-5 accuracy of a variant with given weights, on one central crop of each image.

    Example: harness evaluate resnet34 --weights IMAGENET1K_V1 --data-root /data/imagenet
    """
    from rich.progress import Progress

    from harness.api.networks import evaluation

    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(escape_rich(f"{name}, images"), total=None)
        result = evaluation.evaluate(
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
        print_json(vars(result))
    else:
        _print_accuracy(result)


def _print_accuracy(result: Evaluation) -> None:
    """Print the accuracies in percent, the number of images, and what torchvision publishes for the weights."""
    top1, top5 = 100 * result.top1 / result.images, 100 * result.top5 / result.images
    low, high = result.interval
    out.print(
        f"[bold]{escape_rich(result.variant)}[/bold] with {escape_rich(result.weights)}: top-1 {top1:.2f} % "
        f"(95 % interval over the images {low:.2f} to {high:.2f}), top-5 {top5:.2f} %",
        soft_wrap=True,
    )
    out.print(f"{result.images:,} images of {result.classes:,} classes, one central crop of each ({result.transform}).")
    if result.published is not None:
        published_top1, published_top5 = result.published
        out.print(f"torchvision publishes {published_top1:.3f} % and {published_top5:.3f} %.")
