"""What torch reports in its own words, as errors that say what would help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from harness.errors import HarnessError
from harness.specs import ExternalNetwork, Trial
from harness.specs.network.layer_plan import plan_layers

EXHAUSTED = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
ROOM = 0.9
"""Share of a device's memory that a suggestion counts on."""


@contextmanager
def explain_oom(trial: Trial, size: tuple[int, int], seeds: int = 1) -> Iterator[None]:
    """Turn exhausted memory and killed data workers into errors with a remedy; anything else passes.

    Args:
        trial: What is built, or trained.
        size: Height and width of the images.
        seeds: How many are trained together.

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
        if is_exhausted(error):
            raise (_too_many(seeds) if seeds > 1 else _too_large(trial, size, error)) from error
        raise


def is_exhausted(error: Exception) -> bool:
    """Whether it is a device's memory, or the machine's, that was not enough."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in EXHAUSTED)


def _too_many(seeds: int) -> HarnessError:
    return HarnessError(
        f"{seeds} seeds of this variant together do not fit the memory",
        where="execution.seeds_together",
        remedy=f"--set execution.seeds_together={seeds // 2 if seeds > 3 else 'off'}. Trials that have a checkpoint "
        "go on in the company that they began in, and alone with off.",
    )


def _too_large(trial: Trial, size: tuple[int, int], error: RuntimeError) -> HarnessError:
    """What does not fit, and the largest micro-batch that should."""
    recipe, cuda = trial.recipe, "CUDA" in str(error) or "CUBLAS" in str(error)
    now = recipe.micro_batch or recipe.batch
    fits = now // 2
    if cuda and torch.cuda.is_available():
        capacity = torch.cuda.get_device_properties(0).total_memory
        fits = min(fits, int(now * ROOM * capacity / max(estimated_memory(trial, size, now), capacity)))
        where = f"{torch.cuda.get_device_name(0)} has {capacity / 2**30:.1f} GiB"
    else:
        where = str(error).partition("Error code")[0].strip().rpartition(": ")[2] or "the machine's memory is exhausted"
    part = max((d for d in range(2, max(fits, 1) + 1) if recipe.batch % d == 0), default=None)
    remedy = (
        f"Let {part} images through at once and keep steps of {recipe.batch}: --set recipe.micro_batch={part}. It is "
        "part of the trial's identity, since BatchNorm then sees these."
        if part
        else "Use a smaller network, smaller images, or a larger device."
    )
    if recipe.precision == "fp32" and cuda:
        remedy += " recipe.precision=bf16 halves the activations."
    return HarnessError(
        f"{now} images at once do not fit the memory of the device ({where})", where="recipe.batch", remedy=remedy
    )


def estimated_memory(trial: Trial, size: tuple[int, int], images: int) -> int:
    """Bytes that a training step takes, about; 0 for a foreign network, of which nobody knows."""
    if isinstance(trial.variant, ExternalNetwork):
        return 0
    width = 2 if trial.recipe.precision in ("bf16", "fp16") else 4
    return plan_layers(trial.variant, size).training_bytes(images, width, 4 if trial.recipe.optimiser == "adamw" else 3)
