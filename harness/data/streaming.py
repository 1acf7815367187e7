"""Image files: decoded, resized and cropped, into memory once or streamed through a DataLoader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from harness.specs.streams import stream_seed


class ImageFiles(Dataset[tuple[Tensor, int, int]]):
    """(uint8 image (3, S, S), label, index) of each file.

    Args:
        files: (path, label) of each image.
        size: Side S in pixels.
        crop_seed: Where given, random resized crops and flips (Szegedy et al. 2014), drawn per image from the
            stream of this seed, so that the number of loader processes changes nothing. Otherwise the shorter
            side is resized to 8/7 of S and the centre cropped, as torchvision's evaluation presets do.
    """

    def __init__(self, files: Sequence[tuple[Path, int]], size: int, crop_seed: int | None = None) -> None:
        self.files, self.crop_seed = files, crop_seed
        self.centre = v2.Compose([v2.Resize(round(size * 8 / 7), antialias=True), v2.CenterCrop(size)])
        self.random = v2.Compose([v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        from PIL import Image

        path, label = self.files[index]
        with Image.open(path) as file:
            image = v2.functional.pil_to_tensor(file.convert("RGB"))
        if self.crop_seed is None:
            return self.centre(image), label, index
        # torchvision's transforms draw from the global stream: seed it for this image, then put it back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(self.crop_seed, "crop", index))
            return self.random(image), label, index


def stream(
    images: ImageFiles, batches: Sequence[Tensor], workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(images, labels, indices) on ``device`` for each batch of indices, decoded by ``workers`` processes."""
    loader = DataLoader(
        images,
        batch_sampler=[batch.tolist() for batch in batches],
        num_workers=workers,
        pin_memory=device.type == "cuda",
        # It draws a seed for its workers, which nothing here uses: not from the global stream.
        generator=torch.Generator(),
        # The process may hold threads of MLflow or gRPC, which a fork would break.
        multiprocessing_context="spawn" if workers else None,
    )
    for pixels, labels, index in loader:
        yield tuple(tensor.to(device, non_blocking=True) for tensor in (pixels, labels, index))


def decode(images: ImageFiles, workers: int) -> tuple[Tensor, Tensor]:
    """All images and labels, in memory."""
    everything = torch.arange(len(images)).split(256)
    parts = list(stream(images, everything, workers, torch.device("cpu")))
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
