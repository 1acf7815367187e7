"""A network with given weights on a folder of images: top-1 and top-5, with the transforms that the weights want."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from harness.data.image_files import MIN_IMAGES_FOR_WORKERS, read_rgb, unwrap_loader_errors

Transform = Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class Counted:
    """How many of the images were right so far; ``top5`` counts the label among the five likeliest."""

    images: int
    top1: int
    top5: int


class Labelled(Dataset[tuple[Tensor, int]]):
    """(transformed image, label) of each file."""

    def __init__(self, files: Sequence[tuple[Path, int]], transform: Transform) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.files[index]
        return self.transform(read_rgb(path)), label


def evaluate(
    network: nn.Module,
    files: Sequence[tuple[Path, int]],
    transform: Transform,
    batch: int = 128,
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[Counted]:
    """Put every image through the network once, in evaluation mode; yields the counts so far after each batch.

    Args:
        network: From images (N, C, H, W) to logits (N, classes).
        files: (path, label) of each image.
        transform: From an image to its tensor, as the weights were trained to see it.

    Raises:
        HarnessError: A file is not a readable image.
    """
    loader = DataLoader(
        Labelled(files, transform),
        batch_size=batch,
        num_workers=workers if len(files) >= MIN_IMAGES_FOR_WORKERS else 0,
        multiprocessing_context="spawn" if workers and len(files) >= MIN_IMAGES_FOR_WORKERS else None,
    )
    network = network.to(device).eval()
    images = top1 = top5 = 0
    with unwrap_loader_errors():
        for pixels, labels in loader:
            with torch.inference_mode():
                logits = network(pixels.to(device))
            likeliest = logits.topk(min(5, logits.shape[1]), dim=1).indices.cpu()
            right = likeliest == labels[:, None]
            images += len(labels)
            top1 += int(right[:, 0].sum())
            top5 += int(right.any(dim=1).sum())
            yield Counted(images, top1, top5)
