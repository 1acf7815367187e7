"""The command that evaluates given weights on images: evaluate."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import err, out, print_json, print_note, print_text
from harness.cli.parameters import Json, Layout, Variant, with_options
from harness.settings import Settings
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api.networks.evaluation import Evaluation

app = typer.Typer()
FIRST_CLASSES = 5
"""Classes whose names are printed."""


class LabelOrder(StrEnum):
    """The order of the labels of a folder of images."""

    name = "name"
    number = "number"


Order = Annotated[
    LabelOrder | None,
    typer.Option(
        "--order",
        help="The order of the labels: the classes by name as text (0, 1, 10, 2), or by number. Needed only where all "
        "names are integers and the two orders differ.",
    ),
]


@app.command()
@with_options(Settings, "no_code")
def evaluate(
    settings: Settings,
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
    layout: Layout = None,
    order: Order = None,
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

    The images of DIR/val are used, else those of DIR/test, else the class folders in DIR itself. The classes get their
    labels in the order of their names. With five classes or fewer there is no top-5 accuracy.

    The code of a network of `kind: python` is imported. --no-code refuses it.

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
            None if layout is None else layout.value,
            None if order is None else order.value,
            no_code=settings.no_code,
        )
    if as_json:
        print_json(vars(result))
    else:
        _print_accuracy(result)


def _print_accuracy(result: Evaluation) -> None:
    """Print the accuracies in percent, the images and their labels, and what torchvision publishes for the weights."""
    low, high = result.interval
    top5 = "" if result.top5 is None else f", top-5 {100 * result.top5 / result.images:.2f} %"
    out.print_lines(
        f"[bold]{escape_rich(result.variant)}[/bold] with {escape_rich(result.weights)}: "
        f"top-1 {100 * result.top1 / result.images:.2f} % "
        f"(95 % interval over the images {low:.2f} to {high:.2f}){top5}"
    )
    out.print(f"{result.images:,} images of {result.classes:,} classes, one central crop of each ({result.transform}).")
    labels = [f"{label} = {name}" for label, name in enumerate(result.class_names[:FIRST_CLASSES])]
    print_text(f"Labels: {', '.join(labels)}{', ...' * (result.classes > FIRST_CLASSES)}")
    for note in result.notes:
        print_note(note, out)
    if result.published is not None:
        published_top1, published_top5 = result.published
        out.print(f"torchvision publishes {published_top1:.3f} % and {published_top5:.3f} %.")
