"""What torch reports in its own words, as errors that say what would help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.training.trial import Training

ROOM = 0.9
"""Share of a device's memory that a suggestion counts on."""


@contextmanager
def explained(training: Training) -> Iterator[None]:
    """Turn exhausted memory and killed data workers into errors with a remedy; anything else passes.

    Raises:
        HarnessError: Which of the two, and what would fit.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        killed = re.search(r"DataLoader worker \(pid\(?s?\)? ([\d, ]+)\) (?:is killed by signal: (\w+)|exited)", text)
        if killed:
            how = f"was killed by the system ({killed[2]})" if killed[2] else "ended unexpectedly"
            raise HarnessError(
                f"a data worker (process {killed[1].strip()}), which decodes images beside the training, {how}",
                where="data",
                remedy="The machine is probably short of memory: use fewer trials at once "
                "(resources.max_concurrent), fewer resources.cpus, or smaller images.",
            ) from error
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text:
            raise _too_large(training, error) from error
        raise


def _too_large(training: Training, error: RuntimeError) -> HarnessError:
    """What does not fit, and the largest micro-batch that should."""
    recipe, device = training.recipe, training.device
    now = recipe.micro_batch or recipe.batch
    fits = now // 2
    if device.type == "cuda":
        capacity = torch.cuda.get_device_properties(device).total_memory
        fits = min(fits, int(now * ROOM * capacity / max(estimated_memory(training, now), capacity)))
        where = f"{torch.cuda.get_device_name(device)} has {capacity / 2**30:.1f} GiB"
    else:
        where = str(error).partition("Error code")[0].strip().rpartition(": ")[2] or "the machine's memory is exhausted"
    size = max((d for d in range(2, max(fits, 1) + 1) if recipe.batch % d == 0), default=None)
    remedy = (
        f"Let {size} images through at once and keep steps of {recipe.batch}: --set recipe.micro_batch={size}. It is "
        "part of the trial's identity, since BatchNorm then sees these."
        if size
        else "Use a smaller network, smaller images, or a larger device."
    )
    if training.trial.recipe.precision == "fp32" and device.type == "cuda":
        remedy += " recipe.precision=bf16 halves the activations."
    return HarnessError(
        f"{now} images at once do not fit the memory of the device ({where})", where="recipe.batch", remedy=remedy
    )


def estimated_memory(training: Training, images: int) -> float:
    """Bytes that a training step takes, about: weights, gradients and momentum, and what backward keeps.

    Counted from the layer plan: every convolution's output, with its BatchNorm's and activation's, in 4 or 2 bytes.
    """
    size = next(iter(training.splits["train"].in_order()))[0].shape[-2:]
    plan = training.trial.variant.plan((int(size[0]), int(size[1])))
    states = 4 if training.recipe.optimiser == "adamw" else 3
    width = 2 if training.recipe.precision in ("bf16", "fp16") else 4
    return float(4 * plan.params * states + 3 * width * plan.activations * images)
