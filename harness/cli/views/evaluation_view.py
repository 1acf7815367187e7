"""The accuracy of given weights on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.console import out
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api.networks.evaluation import Evaluation


def print_accuracy(result: Evaluation) -> None:
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
