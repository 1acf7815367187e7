"""Image files: decoded, resized and cropped, streamed through a DataLoader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from harness.errors import HarnessError
from harness.specs.random_streams import stream_seed


def read_rgb(path: Path) -> Image.Image:
    """An image upright and in 8-bit RGB; 16-bit grey is scaled down, transparency is dropped.

    Raises:
        HarnessError: The file cannot be decoded whole.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I;16"):
                # A plain conversion would cut 16 bits off at 255: white images.
                image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
            if image.mode in ("I", "F"):
                raise ValueError(f"pixels of mode {image.mode} have no fixed range")
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise HarnessError(
            f"this file is not a readable image ({error})", where=str(path), remedy="Repair it or remove it."
        ) from error


WORTH_WORKERS = 4096
"""Images from which on processes of their own decode them."""


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
        # Only who has image files pays for it.
        from torchvision.transforms import v2

        self.files, self.size, self.crop_seed = files, size, crop_seed
        self.to_tensor = v2.functional.pil_to_tensor
        self.centre = v2.Compose([v2.Resize(round(size * 8 / 7), antialias=True), v2.CenterCrop(size)])
        self.random = v2.Compose([v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        path, label = self.files[index]
        image = self.to_tensor(read_rgb(path))
        if self.crop_seed is None:
            return self.centre(image), label, index
        # torchvision's transforms draw from the global stream: seed it for this image, then put it back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(self.crop_seed, "crop", index))
            return self.random(image), label, index


def stream(
    images: ImageFiles, batches: Sequence[Tensor], workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(images, labels, indices) on ``device`` for each batch of indices, decoded by ``workers`` processes.

    A few images are decoded here: starting processes would take longer.
    """
    if sum(map(len, batches)) < WORTH_WORKERS:
        workers = 0
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
    with unwrap_loader_errors():
        for pixels, labels, index in loader:
            yield tuple(tensor.to(device, non_blocking=True) for tensor in (pixels, labels, index))


@contextmanager
def unwrap_loader_errors() -> Iterator[None]:
    """What a loader's process raised, as it was: the loader hands it on with that process's traceback in its text.

    Raises:
        HarnessError: What was wrong, and where.
    """
    try:
        yield
    except HarnessError as error:
        _, raised, said = error.what.rpartition(f"{HarnessError.__module__}.{HarnessError.__qualname__}: ")
        if not raised:
            raise
        raise HarnessError(said.strip()) from error
