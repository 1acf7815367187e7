"""Random crops and flips of whole batches of uint8 images.

``resized-crop-flip`` works on image files: see :mod:`harness.data.image_files`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.specs import Recipe
from harness.specs.random_streams import stream_seed


@dataclass
class AugmentationDraws:
    """The random draws of one epoch, one for each image, so that they do not depend on the batches.

    Attributes:
        offsets: Top and left corner of each crop in the padded image, int64 (N, 2).
        flips: Whether each image is mirrored, bool (N,); None where none is.
        padding: Black pixels added on each side before the crop.
    """

    offsets: Tensor
    flips: Tensor | None
    padding: int

    @classmethod
    def draw(cls, recipe: Recipe, images: int, seed: int, epoch: int, device: torch.device) -> AugmentationDraws | None:
        """Return the draws of an epoch; None if the recipe does not crop whole batches.

        They are drawn on the CPU, so that they are the same on every device.
        """
        if recipe.augment not in ("crop", "crop-flip"):
            return None
        generator = torch.Generator().manual_seed(stream_seed(seed, "augmentation", epoch))
        offsets = torch.randint(0, 2 * recipe.crop_padding + 1, (images, 2), generator=generator)
        flips = torch.rand(images, generator=generator) < 0.5 if recipe.augment == "crop-flip" else None
        return cls(offsets.to(device), None if flips is None else flips.to(device), recipe.crop_padding)

    def apply(self, images: Tensor, index: Tensor) -> Tensor:
        """Return padded, cropped and flipped images: (B, C, H, W) -> (B, C, H, W).

        As in He et al. 2015, section 4.2, and in torchvision's RandomCrop and RandomHorizontalFlip.

        Args:
            images: A batch.
            index: The number of each of its images in the split, int64 (B,).
        """
        height, width = images.shape[2:]
        # A view of all possible crops, (B, C, top, left, H, W), of which only the chosen ones are copied.
        crops = F.pad(images, [self.padding] * 4).unfold(2, height, 1).unfold(3, width, 1)
        top, left = self.offsets[index].unbind(1)
        cropped = crops[torch.arange(len(images), device=images.device), :, top, left]
        if self.flips is None:
            return cropped
        return torch.where(self.flips[index, None, None, None], cropped.flip(3), cropped)
