"""Image files: decoded, resized and cropped, one batch after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from harness.data.folders.classes import LabelledFile
from harness.data.folders.entries import unreadable
from harness.errors import HarnessError
from harness.specs.random_streams import stream_seed

MIN_IMAGES_FOR_WORKERS = 4096
"""Fewer images are decoded in this process, because the start of worker processes would take longer."""

LFS_POINTER = b"version https://git-lfs"


def read_file(path: Path) -> bytes:
    """Return the bytes of an image file.

    Raises:
        HarnessError: The file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def read_rgb(path: Path, content: bytes | None = None) -> Image.Image:
    """Return an image upright and in 8-bit RGB; 16-bit grey is scaled down, and transparency is dropped.

    Args:
        path: The file.
        content: Its bytes, if they were read already.

    Raises:
        HarnessError: The file is damaged, or is no image that can be converted.
    """
    content = read_file(path) if content is None else content
    try:
        with Image.open(BytesIO(content)) as file:
            image = ImageOps.exif_transpose(file)
            # Pillow scales the grey levels of a PGM file with more than 8 bits to 0 ... 65535, in mode I.
            if image.mode.startswith("I;16") or (image.mode == "I" and file.format == "PPM"):
                # A plain conversion would clip 16-bit values at 255, which gives white images.
                image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
            if image.mode in ("I", "F"):
                raise ValueError(f"pixels of mode {image.mode} have no fixed range")
            return image.convert("RGB")
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders raise errors of every kind for damaged files.
        reason = str(error).partition(" <_io.BytesIO")[0]
        raise HarnessError(
            f"this file is not a readable image ({reason})", where=str(path), remedy=_remedy(content)
        ) from error


def _remedy(content: bytes) -> str:
    if content.startswith(LFS_POINTER):
        return "It is a pointer of Git LFS: fetch the images with `git lfs pull`."
    return "Repair it or remove it." if content else "The file is empty: copy it again, or remove it."


class ImageFiles(Dataset[tuple[Tensor, int, int]]):
    """The images of files: item i is (uint8 image (3, S, S), label, i).

    Args:
        files: (path, label) of each image.
        size: Side S in pixels.
        crop_seed: Where given, images get random resized crops and flips (Szegedy et al. 2014). They are drawn for each
            image from the stream of this seed, so the number of worker processes does not change them. Otherwise the
            shorter side is resized to 8/7 of S and the centre is cropped, as in torchvision's evaluation presets.
    """

    def __init__(self, files: Sequence[LabelledFile], size: int, crop_seed: int | None = None) -> None:
        # This import is slow, and only image files need it.
        from torchvision.transforms import v2

        self.files, self.size, self.crop_seed = files, size, crop_seed
        self.to_tensor = v2.functional.pil_to_tensor
        self.centre_crop = v2.Compose([v2.Resize(round(size * 8 / 7), antialias=True), v2.CenterCrop(size)])
        self.random_crop = v2.Compose([v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        path, label = self.files[index]
        image = self.to_tensor(read_rgb(path))
        if self.crop_seed is None:
            return self.centre_crop(image), label, index
        # torchvision's transforms draw from torch's global generator: seed it for this image, then restore it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(self.crop_seed, "crop", index))
            return self.random_crop(image), label, index


def stream_batches(
    images: ImageFiles, batches: Sequence[Tensor], workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield (images, labels, indices) on ``device`` for each batch of indices.

    Args:
        images: The image files.
        batches: Indices of the images of each batch.
        workers: Number of processes that decode; 0 decodes in this process.
        device: Where the batches are delivered.

    Raises:
        HarnessError: A file is not a readable image.
    """
    if sum(map(len, batches)) < MIN_IMAGES_FOR_WORKERS:
        workers = 0
    loader = DataLoader(
        images,
        batch_sampler=[batch.tolist() for batch in batches],
        num_workers=workers,
        pin_memory=device.type == "cuda",
        # The loader draws a seed for its workers, which nothing uses. It must not come from the global generator.
        generator=torch.Generator(),
        # This process may have threads of MLflow or gRPC, which do not survive a fork.
        multiprocessing_context="spawn" if workers else None,
    )
    with unwrap_loader_errors():
        for pixels, labels, index in loader:
            yield tuple(tensor.to(device, non_blocking=True) for tensor in (pixels, labels, index))


@contextmanager
def unwrap_loader_errors() -> Iterator[None]:
    """Raise the HarnessError of a loader's worker without the worker's traceback, which the loader adds to its text.

    Raises:
        HarnessError: The error that the worker raised.
    """
    try:
        yield
    except HarnessError as error:
        _, separator, message = error.what.rpartition(f"{HarnessError.__module__}.{HarnessError.__qualname__}: ")
        if not separator:
            raise
        raise HarnessError(message.strip()) from error
