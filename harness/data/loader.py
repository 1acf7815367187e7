"""A data set's splits as batches of normalised images on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.data.augment import AugmentationDraws
from harness.data.decode_cache import decode, decoded_file, fits_in_memory
from harness.data.description import describe_data, require_files, split_indices
from harness.data.image_files import ImageFiles, stream
from harness.data.packed_file import is_packed, read_arrays
from harness.data.registry import DEFAULT_IMAGE_SIZE, locate, scan_tree, source
from harness.errors import HarnessError
from harness.specs import DataSpec, Recipe
from harness.specs.experiment.data_parallel import LEAST
from harness.specs.random_streams import stream_seed

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EVALUATION_BATCH = 512
CPU = torch.device("cpu")


@dataclass(frozen=True)
class InMemoryImages:
    """Images that live in memory (or on the device): uint8 (N, C, H, W) and labels (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> InMemoryImages:
        """The same images on ``device``."""
        return InMemoryImages(self.images.to(device), self.labels.to(device))

    def fetch(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(images, labels, indices) of each batch of indices."""
        for index in batches:
            index = index.to(self.images.device, non_blocking=True)
            yield self.images[index], self.labels[index], index


@dataclass(frozen=True)
class ImageStream:
    """Images that stay in their files and are decoded for every epoch."""

    files: tuple[tuple[Path, int], ...]
    size: int
    workers: int = 0
    device: torch.device = CPU
    crop_seed: int | None = None

    def __len__(self) -> int:
        return len(self.files)

    def to(self, device: torch.device) -> ImageStream:
        """The same images, delivered to ``device``."""
        return replace(self, device=device)

    def fetch(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(images, labels, indices) of each batch of indices; the last may be empty, as a worker's share of it is."""
        filled = [batch for batch in batches if len(batch)]
        yield from stream(ImageFiles(self.files, self.size, self.crop_seed), filled, self.workers, self.device)
        none = torch.empty(0, dtype=torch.int64, device=self.device)
        for _ in batches[len(filled) :]:
            yield torch.empty(0, 3, self.size, self.size, dtype=torch.uint8, device=self.device), none, none


Part = InMemoryImages | ImageStream


class Shard(NamedTuple):
    """Which of the workers that train one trial, and of how many; the ordinary trial has one."""

    rank: int = 0
    workers: int = 1

    def of(self, index: Tensor, least: int = 0) -> Tensor:
        """This worker's part of a batch's indices, all of it where the parts would have fewer than ``least``.

        Parts differ by one image at most.
        """
        if len(index) < least * self.workers:
            return index
        return index.tensor_split(self.workers)[self.rank]


WHOLE_BATCH = Shard()


@dataclass(frozen=True)
class Splits:
    """Training, validation (may be empty) and test images, and the training split's mean and deviation."""

    train: Part
    val: Part
    test: Part
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to(self, device: torch.device) -> Splits:
        """The same splits, delivered to ``device``."""
        return replace(self, train=self.train.to(device), val=self.val.to(device), test=self.test.to(device))


@lru_cache(maxsize=2)
def load_splits(spec: DataSpec, augment: str = "none", workers: int = 0) -> Splits:
    """The splits of a data set; kept for the next trial of this process.

    Raises:
        HarnessError: It is not at hand, differs from the spec's fingerprint, or the augmentation needs files.
    """
    _, spec = describe_data(spec)
    require_files(spec, augment)
    if spec.name != "imagefolder" or is_packed(spec.root):
        return _load_arrays(spec)
    copy = decoded_file(spec, augment, workers)
    if copy is not None:
        try:
            return _load_arrays(spec.model_copy(update={"root": str(copy)}))
        except HarnessError:
            # It is damaged.
            copy.unlink(missing_ok=True)
    return _load_files(spec, augment, workers)


def _load_arrays(spec: DataSpec) -> Splits:
    _, files = locate(spec)
    reader = source(spec.name).load
    (images, labels), test = read_arrays(files[0]) if reader is None or is_packed(spec.root) else reader(files)
    train, val, held_out = (
        # Chosen images are a copy, which torch may write to.
        InMemoryImages(torch.from_numpy(images[index]), torch.from_numpy(labels[index]))
        for index in split_indices(spec, labels, test is not None)
    )
    if test is not None:
        held_out = InMemoryImages(torch.tensor(test[0]), torch.tensor(test[1]))
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if spec.name == "imagefolder" else _moments(train.images)
    return Splits(train, val, held_out, mean, std)


def _load_files(spec: DataSpec, augment: str, workers: int) -> Splits:
    assert spec.root is not None
    size = spec.image_size or DEFAULT_IMAGE_SIZE
    tree = scan_tree(Path(spec.root))
    labels = np.array([label for _, label in tree.train])
    files = [[tree.train[i] for i in indices] for indices in split_indices(spec, labels, tree.test is not None)]
    if tree.test is not None:
        files[2] = tree.test
    parts: list[Part] = [ImageStream(tuple(part), size, workers) for part in files]
    if augment != "resized-crop-flip" and fits_in_memory(sum(map(len, parts)), size):
        parts = [InMemoryImages(*decode(ImageFiles(part, size), workers)) for part in files]
    train, val, test = parts
    return Splits(train, val, test, IMAGENET_MEAN, IMAGENET_STD)


def _moments(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, of pixels scaled to [0, 1]; exact integer histograms."""
    means, deviations = [], []
    levels = np.arange(256) / 255
    for channel in range(images.shape[1]):
        share = np.bincount(images[:, channel].numpy().ravel(), minlength=256) / images[:, channel].numel()
        mean = float(share @ levels)
        means.append(mean)
        deviations.append(max(float(share @ (levels - mean) ** 2) ** 0.5, 1e-6))
    return tuple(means), tuple(deviations)


class BatchLoader:
    """Normalised batches (float32 (B, C, H, W), int64 (B,)) of one split on its device."""

    def __init__(self, part: Part, splits: Splits, memory_format: torch.memory_format, device: torch.device) -> None:
        self.part, self.memory_format, self.device = part, memory_format, device
        mean, std = (torch.tensor(value, device=device).view(1, -1, 1, 1) for value in (splits.mean, splits.std))
        self.scale, self.shift = 1 / (255 * std), -mean / std

    def __len__(self) -> int:
        return len(self.part)

    def normalise(self, pixels: Tensor) -> Tensor:
        """uint8 pixels to zero mean and unit deviation per channel of the training split."""
        x = pixels.to(torch.float32, memory_format=self.memory_format)
        return x.mul_(self.scale).add_(self.shift)

    def in_order(self, share: Shard = WHOLE_BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once, un-augmented, for evaluation; a worker's share of each batch may be empty."""
        batches = [share.of(index) for index in torch.arange(len(self)).split(EVALUATION_BATCH)]
        for pixels, labels, _ in self.part.fetch(batches):
            yield self.normalise(pixels), labels

    def epoch(
        self, recipe: Recipe, seed: int, epoch: int, steps: range | None = None, share: Shard = WHOLE_BATCH
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of training batches in the order, and with the augmentation, of (seed, epoch).

        Args:
            steps: Which of its batches, for an epoch that was interrupted; all where it is left out.
            share: Whose part of each batch. One too small to be shared, as the last of an epoch may be, is each
                worker's whole.
        """
        generator = torch.Generator().manual_seed(stream_seed(seed, "order", epoch))
        order = torch.randperm(len(self), generator=generator)
        draws = AugmentationDraws.of_epoch(recipe, len(self), seed, epoch, self.device)
        part = self.part
        if recipe.augment == "resized-crop-flip":
            assert isinstance(part, ImageStream)
            part = replace(part, crop_seed=stream_seed(seed, "augmentation", epoch))
        batches = [share.of(index, LEAST) for index in split_into_batches(order, recipe.batch)]
        for pixels, labels, index in part.fetch(batches if steps is None else batches[steps.start : steps.stop]):
            yield self.normalise(pixels if draws is None else draws.apply(pixels, index)), labels


def split_into_batches(order: Tensor, batch: int) -> list[Tensor]:
    """``order`` in batches; the last may be smaller, but a single left-over image is dropped.

    BatchNorm has no variance to divide by where one value is left per channel.
    """
    parts = list(order.split(batch))
    return parts[:-1] if len(parts) > 1 and len(parts[-1]) == 1 else parts
