"""The shape of the images that a network takes, as a user writes it."""

from __future__ import annotations

import re

from harness.errors import HarnessError
from harness.specs import Catalogue, Variant
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import require_input


def parse_image_shape(text: str) -> tuple[int | None, int, int]:
    """Return (channels, height, width) of ``3x224x224``, ``224x224`` or ``224``; channels are None where not given.

    Raises:
        HarnessError: The text is not a shape of images.
    """
    match = re.fullmatch(r"(?:(?:(\d{1,6})x)?(\d{1,6})x)?(\d{1,6})", text)
    sides = [int(part) for part in match.groups() if part] if match else []
    if not all(sides) or not sides:
        raise HarnessError(
            f"'{text[:60]}' is not a shape of images", where="--input", remedy="Write 3x224x224, 224x224 or 224."
        )
    return (sides[0] if len(sides) == 3 else None), sides[-2 if len(sides) > 1 else -1], sides[-1]


def default_input(variant: AnyVariant) -> str:
    """Return the image side in pixels at which the costs of the variant's family are published."""
    return str(Catalogue.load().family(variant.family).input_size)


def fit_input(variant: AnyVariant, shape: str) -> tuple[AnyVariant, tuple[int, int]]:
    """Return the variant with the channels of an image shape, and the images' (height, width) in pixels.

    Raises:
        HarnessError: The text is not a shape of images, or the images are smaller than the network's total stride.
    """
    channels, height, width = parse_image_shape(shape)
    if isinstance(variant, Variant):
        require_input(variant, (height, width))
    if channels is not None:
        variant = variant.model_copy(update={"in_channels": channels})
    return variant, (height, width)
