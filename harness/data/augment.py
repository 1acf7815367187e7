"""Batched augmentation of uint8 images, drawn from a named random stream."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.specs import Recipe
from harness.specs.random_streams import stream_seed


@dataclass
class AugmentationDraws:
    """What augmentation drew for every image of one epoch, indexed by image, so batches do not matter."""

    offsets: Tensor
    flips: Tensor | None
    padding: int

    @classmethod
    def of_epoch(
        cls, recipe: Recipe, images: int, seed: int, epoch: int, device: torch.device
    ) -> AugmentationDraws | None:
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

        He et al. 2015, section 4.2, as torchvision's RandomCrop and RandomHorizontalFlip do it.
        """
        height, width = images.shape[2:]
        # A view of every crop that there is, (B, C, top, left, H, W): what is copied of it are whole rows of pixels.
        crops = F.pad(images, [self.padding] * 4).unfold(2, height, 1).unfold(3, width, 1)
        top, left = self.offsets[index].unbind(1)
        cropped = crops[torch.arange(len(images), device=images.device), :, top, left]
        if self.flips is None:
            return cropped
        return torch.where(self.flips[index, None, None, None], cropped.flip(3), cropped)
