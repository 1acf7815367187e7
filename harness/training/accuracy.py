"""The top-1 and top-5 accuracy of a network with given weights on image files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from harness.data.folders.classes import LabelledFile
from harness.data.image_files import MIN_IMAGES_FOR_WORKERS, read_rgb, unwrap_loader_errors

Transform = Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class CorrectCounts:
    """The images so far, and how many of them were classified correctly.

    Attributes:
        images: All images.
        top1: Images whose label is the most likely class.
        top5: Images whose label is among the five most likely classes.
    """

    images: int
    top1: int
    top5: int


class LabelledImages(Dataset[tuple[Tensor, int]]):
    """The images of files: item i is (transformed image, label)."""

    def __init__(self, files: Sequence[LabelledFile], transform: Transform) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.files[index]
        return self.transform(read_rgb(path)), label


def count_correct(
    network: nn.Module,
    files: Sequence[LabelledFile],
    transform: Transform,
    batch: int = 128,
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[CorrectCounts]:
    """Classify every image once, in evaluation mode; yield the counts so far after each batch.

    Args:
        network: Maps images (N, C, H, W) to logits (N, classes).
        files: (path, label) of each image.
        transform: Maps an image to the tensor that the weights were trained on.
        batch: Images that go through the network at once.
        workers: Number of processes that decode images.
        device: Where the network runs.

    Raises:
        HarnessError: A file is not a readable image.
    """
    if len(files) < MIN_IMAGES_FOR_WORKERS:
        workers = 0
    loader = DataLoader(
        LabelledImages(files, transform),
        batch_size=batch,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
    )
    network = network.to(device).eval()
    images = top1 = top5 = 0
    with unwrap_loader_errors():
        for pixels, labels in loader:
            with torch.inference_mode():
                logits = network(pixels.to(device))
            most_likely = logits.topk(min(5, logits.shape[1]), dim=1).indices.cpu()
            correct = most_likely == labels[:, None]
            images += len(labels)
            top1 += int(correct[:, 0].sum())
            top5 += int(correct.any(dim=1).sum())
            yield CorrectCounts(images, top1, top5)
