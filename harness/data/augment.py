"""Batched augmentation of uint8 images, drawn from a named random stream."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.specs import Recipe
from harness.specs.streams import stream_seed


@dataclass
class Draws:
    """What augmentation drew for every image of one epoch, indexed by image, so batches do not matter."""

    offsets: Tensor | None
    flips: Tensor | None
    padding: int

    @classmethod
    def of_epoch(cls, recipe: Recipe, images: int, seed: int, epoch: int, device: torch.device) -> Draws | None:
        """The draws for one epoch; None where the recipe has no batched augmentation.

        Drawn on the CPU whatever the device, so that devices see the same augmentation.
        """
        if recipe.augment not in ("crop", "crop-flip"):
            return None
        generator = torch.Generator().manual_seed(stream_seed(seed, "augmentation", epoch))
        offsets = torch.randint(0, 2 * recipe.crop_padding + 1, (images, 2), generator=generator)
        flips = torch.rand(images, generator=generator) < 0.5 if recipe.augment == "crop-flip" else None
        return cls(offsets.to(device), None if flips is None else flips.to(device), recipe.crop_padding)

    def apply(self, images: Tensor, index: Tensor) -> Tensor:
        """Pad with black, crop at each image's offset, flip: (B, C, H, W) -> (B, C, H, W).

        He et al. 2015, section 4.2, as torchvision's RandomCrop and RandomHorizontalFlip do it, in one gather.
        """
        batch, channels, height, width = images.shape
        device = images.device
        padded = F.pad(images, [self.padding] * 4)
        rows = torch.arange(height, device=device).expand(batch, height)
        columns = torch.arange(width, device=device).expand(batch, width)
        if self.flips is not None:
            columns = torch.where(self.flips[index, None], width - 1 - columns, columns)
        if self.offsets is not None:
            rows = rows + self.offsets[index, 0, None]
            columns = columns + self.offsets[index, 1, None]
        which = torch.arange(batch, device=device)[:, None, None, None]
        channel = torch.arange(channels, device=device)[None, :, None, None]
        return padded[which, channel, rows[:, None, :, None], columns[:, None, None, :]]
