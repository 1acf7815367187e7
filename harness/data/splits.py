"""The training, validation and test images of a data set, in memory or as files that are decoded in every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.data.decode_cache import decode_images, find_or_decode, fits_in_memory
from harness.data.description import describe_data, require_image_files
from harness.data.folders.classes import LabelledFile
from harness.data.image_files import ImageFiles, stream_batches
from harness.data.image_folders import DEFAULT_IMAGE_SIZE, scan_image_folder
from harness.data.packed_file import is_packed, read_packed_arrays, read_packed_facts
from harness.data.registry import find_source, locate_files
from harness.data.split_indices import split_indices
from harness.errors import HarnessError
from harness.specs import DataSpec

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CPU = torch.device("cpu")


@dataclass(frozen=True)
class InMemoryImages:
    """A split in the memory of the host or of a device: uint8 images (N, C, H, W) and int64 labels (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> InMemoryImages:
        """Return the same images on ``device``."""
        return InMemoryImages(self.images.to(device), self.labels.to(device))

    def fetch(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (images, labels, indices) for each batch of indices."""
        for index in batches:
            index = index.to(self.images.device, non_blocking=True)
            yield self.images[index], self.labels[index], index


@dataclass(frozen=True)
class ImageStream:
    """A split whose images stay in their files and are decoded in every epoch; see :class:`ImageFiles`."""

    files: tuple[LabelledFile, ...]
    size: int
    workers: int = 0
    device: torch.device = CPU
    crop_seed: int | None = None

    def __len__(self) -> int:
        return len(self.files)

    def to(self, device: torch.device) -> ImageStream:
        """Return the same images, delivered to ``device``."""
        return replace(self, device=device)

    def fetch(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (images, labels, indices) for each batch of indices; only batches at the end may be empty."""
        filled = [batch for batch in batches if len(batch)]
        yield from stream_batches(ImageFiles(self.files, self.size, self.crop_seed), filled, self.workers, self.device)
        no_labels = torch.empty(0, dtype=torch.int64, device=self.device)
        no_images = torch.empty(0, 3, self.size, self.size, dtype=torch.uint8, device=self.device)
        for _ in batches[len(filled) :]:
            yield no_images, no_labels, no_labels


Split = InMemoryImages | ImageStream


@dataclass(frozen=True)
class Splits:
    """The splits of a data set, and the statistics that normalise their images.

    Attributes:
        train: Training images.
        val: Validation images; may be empty.
        test: Test images.
        mean: Of each channel, for pixels scaled to [0, 1].
        std: Standard deviation of each channel, likewise.
    """

    train: Split
    val: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to(self, device: torch.device) -> Splits:
        """Return the same splits, delivered to ``device``."""
        return replace(self, train=self.train.to(device), val=self.val.to(device), test=self.test.to(device))


@lru_cache(maxsize=2)
def load_splits(spec: DataSpec, augment: str = "none", workers: int = 0) -> Splits:
    """Return the splits of a data set; the last two results are kept for later trials of this process.

    Args:
        spec: The data set.
        augment: The augmentation of the recipe.
        workers: Number of processes that decode image files.

    Raises:
        HarnessError: The files are missing, their fingerprint is not the declared one, or the augmentation needs
            image files.
    """
    _, spec = describe_data(spec)
    require_image_files(spec, augment)
    if spec.name != "imagefolder" or is_packed(spec.root):
        splits = _load_arrays(spec)
        _require_unchanged(spec)
        return splits
    copy = find_or_decode(spec, augment, workers)
    if copy is not None:
        try:
            return _load_copy(spec, copy)
        except HarnessError:
            # The copy is damaged. The next trial makes a new one.
            with suppress(OSError):
                copy.unlink(missing_ok=True)
    return _load_files(spec, augment, workers)


def _require_unchanged(spec: DataSpec) -> None:
    """Raise where the data has changed since its fingerprint was taken, because its images were read after that.

    Raises:
        HarnessError: The content has another fingerprint than ``spec``.
    """
    describe_data(spec)


def _load_copy(spec: DataSpec, copy: Path) -> Splits:
    """Load the decoded copy of an image folder.

    Raises:
        HarnessError: The copy is damaged, or is one of other images.
    """
    if read_packed_facts(copy)["fingerprint"] != spec.fingerprint:
        raise HarnessError("this copy holds other images", where=str(copy), remedy="Delete it.")
    return _load_arrays(spec.model_copy(update={"root": str(copy)}))


def _load_arrays(spec: DataSpec) -> Splits:
    _, files = locate_files(spec)
    read = find_source(spec.name).read
    (images, labels), test = read_packed_arrays(files[0]) if read is None or is_packed(spec.root) else read(files)
    train, val, held_out = (
        # Indexing copies the images, so torch may write to them.
        InMemoryImages(torch.from_numpy(images[index]), torch.from_numpy(labels[index]))
        for index in split_indices(spec, labels, test is not None)
    )
    if test is not None:
        held_out = InMemoryImages(torch.tensor(test[0]), torch.tensor(test[1]))
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if spec.name == "imagefolder" else _mean_and_std(train.images)
    return Splits(train, val, held_out, mean, std)


def _load_files(spec: DataSpec, augment: str, workers: int) -> Splits:
    """Load an image folder that has no decoded copy: into memory where it fits, else as streams."""
    assert spec.root is not None
    size = spec.image_size or DEFAULT_IMAGE_SIZE
    folder = scan_image_folder(Path(spec.root), spec.layout)
    labels = np.array([label for _, label in folder.train])
    files = [[folder.train[i] for i in indices] for indices in split_indices(spec, labels, folder.test is not None)]
    if folder.test is not None:
        files[2] = folder.test
    splits: list[Split] = [ImageStream(tuple(split), size, workers) for split in files]
    if augment != "resized-crop-flip" and fits_in_memory(sum(map(len, splits)), size):
        splits = [InMemoryImages(*decode_images(ImageFiles(split, size), workers)) for split in files]
        _require_unchanged(spec)
    train, val, test = splits
    return Splits(train, val, test, IMAGENET_MEAN, IMAGENET_STD)


def _mean_and_std(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel, of pixels scaled to [0, 1], from exact histograms."""
    means, deviations = [], []
    levels = np.arange(256) / 255
    for channel in range(images.shape[1]):
        frequency = np.bincount(images[:, channel].numpy().ravel(), minlength=256) / images[:, channel].numel()
        mean = float(frequency @ levels)
        means.append(mean)
        deviations.append(max(float(frequency @ (levels - mean) ** 2) ** 0.5, 1e-6))
    return tuple(means), tuple(deviations)
