"""The batches of a split: their order, augmentation and normalisation, and each worker's shard of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from harness.data.augment import AugmentationDraws
from harness.data.splits import ImageStream, Split, Splits
from harness.specs import Recipe
from harness.specs.experiment.data_parallel import MIN_WORKER_BATCH
from harness.specs.random_streams import stream_seed

EVALUATION_BATCH = 512


class Shard(NamedTuple):
    """The part of every batch that one of the workers of a trial takes; an ordinary trial has one worker."""

    rank: int = 0
    workers: int = 1

    def select(self, index: Tensor, least: int = 0) -> Tensor:
        """Return this worker's part of a batch's indices; parts differ by one image at most.

        A batch whose parts would have fewer than ``least`` images goes whole to every worker.
        """
        if len(index) < least * self.workers:
            return index
        return index.tensor_split(self.workers)[self.rank]


WHOLE_BATCH = Shard()


class BatchLoader:
    """Normalised batches of one split on its device: float32 images (B, C, H, W) and int64 labels (B,).

    Args:
        split: The images.
        splits: The data set's splits, which have the statistics to normalise by.
        memory_format: The memory format of the batches.
        device: Where the split delivers its images.
    """

    def __init__(self, split: Split, splits: Splits, memory_format: torch.memory_format, device: torch.device) -> None:
        self.split, self.memory_format, self.device = split, memory_format, device
        mean, std = (torch.tensor(value, device=device).view(1, -1, 1, 1) for value in (splits.mean, splits.std))
        self.scale, self.shift = 1 / (255 * std), -mean / std

    def __len__(self) -> int:
        return len(self.split)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return uint8 pixels as float32, with mean 0 and deviation 1 per channel of the training split."""
        x = pixels.to(torch.float32, memory_format=self.memory_format)
        return x.mul_(self.scale).add_(self.shift)

    def evaluation_batches(self, shard: Shard = WHOLE_BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield every image once without augmentation, for evaluation; a worker's part of a batch may be empty."""
        batches = [shard.select(index) for index in torch.arange(len(self)).split(EVALUATION_BATCH)]
        for pixels, labels, _ in self.split.fetch(batches):
            yield self.normalise(pixels), labels

    def training_batches(
        self,
        recipe: Recipe,
        seed: int,
        epoch: int,
        steps: range | None = None,
        shard: Shard = WHOLE_BATCH,
        augmentation_seed: int | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the training batches of an epoch, whose order and augmentation are those of (seed, epoch).

        Args:
            recipe: Declares batch size and augmentation.
            seed: Seed of the order.
            epoch: The number of the epoch.
            steps: Which batches to yield, for an epoch that continues after an interruption; None for all.
            shard: Whose part of each batch to yield. A batch that is too small to be divided, as the last one may be,
                goes whole to every worker.
            augmentation_seed: Seed of the augmentation; None for that of the order.
        """
        generator = torch.Generator().manual_seed(stream_seed(seed, "order", epoch))
        order = torch.randperm(len(self), generator=generator)
        drawn_from = seed if augmentation_seed is None else augmentation_seed
        draws = AugmentationDraws.draw(recipe, len(self), drawn_from, epoch, self.device)
        split = self.split
        if recipe.augment == "resized-crop-flip":
            assert isinstance(split, ImageStream)
            split = replace(split, crop_seed=stream_seed(drawn_from, "augmentation", epoch))
        batches = [shard.select(index, MIN_WORKER_BATCH) for index in split_into_batches(order, recipe.batch)]
        for pixels, labels, index in split.fetch(batches if steps is None else batches[steps.start : steps.stop]):
            yield self.normalise(pixels if draws is None else draws.apply(pixels, index)), labels


def split_into_batches(order: Tensor, batch: int) -> list[Tensor]:
    """Return the indices in batches; the last may be smaller, but a single image that is left over is dropped.

    BatchNorm cannot normalise a batch with one value per channel.
    """
    batches = list(order.split(batch))
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 else batches
