"""The memory of a training step: micro-batches that fit into it, and errors that say what would fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from harness.errors import HarnessError
from harness.specs import ExternalNetwork, Trial
from harness.specs.network.layer_plan import plan_layers

EXHAUSTED_MESSAGES = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
USABLE_MEMORY = 0.9
"""The share of a device's memory that a suggested micro-batch may fill."""
KILLED_WORKER = re.compile(r"DataLoader worker \(pid\(?s?\)? ([\d, ]+)\) (?:is killed by signal: (\w+)|exited)")


def split_into_micro_batches(images: Tensor, labels: Tensor, size: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels) of the parts of a batch that go through the network at once; the whole batch for None.

    Parts have ``size`` images, the last one the rest. A rest of one image is added to the part before it, because
    BatchNorm has no variance of a single value.
    """
    if size is None or len(labels) <= size:
        yield images, labels
        return
    full_parts, rest = divmod(len(labels), size)
    sizes = [size] * full_parts + [rest] * (rest > 0)
    if rest == 1:
        sizes[-2:] = [size + 1]
    yield from zip(images.split(sizes), labels.split(sizes), strict=True)


@contextmanager
def explain_oom(trial: Trial, size: tuple[int, int], seeds: int = 1) -> Iterator[None]:
    """Turn exhausted memory and the death of a data worker into errors with a remedy; pass other errors on.

    Args:
        trial: The trial that is built or trained in the block.
        size: Height and width of the images.
        seeds: How many seeds are trained together.

    Raises:
        HarnessError: The memory is exhausted, or a data worker died.
    """
    try:
        yield
    except RuntimeError as error:
        killed = KILLED_WORKER.search(str(error))
        if killed:
            end = f"was killed by the system ({killed[2]})" if killed[2] else "ended unexpectedly"
            raise HarnessError(
                f"a worker process that decodes images (process {killed[1].strip()}) {end}",
                where="data",
                remedy="The machine probably has too little memory: use fewer trials at once "
                "(resources.max_concurrent), fewer resources.cpus, or smaller images.",
            ) from error
        if is_exhausted(error):
            raise (_too_many_seeds(seeds) if seeds > 1 else _too_large_batch(trial, size, error)) from error
        raise


def is_exhausted(error: Exception) -> bool:
    """Return whether an error means that the memory of a device or of the machine is exhausted."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(message in str(error) for message in EXHAUSTED_MESSAGES)


def _too_many_seeds(seeds: int) -> HarnessError:
    return HarnessError(
        f"the memory is too small for {seeds} seeds of this variant trained together",
        where="execution.seeds_together",
        remedy=f"Use --set execution.seeds_together={seeds // 2 if seeds > 3 else 'off'}. Trials that have a "
        "checkpoint stay with the seeds that they began with; with off they are trained one by one.",
    )


def _too_large_batch(trial: Trial, size: tuple[int, int], error: RuntimeError) -> HarnessError:
    """Return an error that names the largest micro-batch that should fit."""
    recipe, is_cuda = trial.recipe, "CUDA" in str(error) or "CUBLAS" in str(error)
    images = recipe.micro_batch or recipe.batch
    fitting = images // 2
    if is_cuda and torch.cuda.is_available():
        capacity = torch.cuda.get_device_properties(0).total_memory
        needed = max(estimate_memory(trial, size, images), capacity)
        fitting = min(fitting, int(images * USABLE_MEMORY * capacity / needed))
        reason = f"{torch.cuda.get_device_name(0)} has {capacity / 2**30:.1f} GiB"
    else:
        message = str(error).partition("Error code")[0].strip()
        reason = message.rpartition(": ")[2] or "the machine's memory is exhausted"
    divisors = [part for part in range(2, max(fitting, 1) + 1) if recipe.batch % part == 0]
    remedy = "Use a smaller network, smaller images, or a larger device."
    if divisors:
        remedy = (
            f"Put {divisors[-1]} images through the network at once and keep steps of {recipe.batch}: --set "
            f"recipe.micro_batch={divisors[-1]}. This makes it another trial, because BatchNorm then normalises over "
            "these images."
        )
    if recipe.precision == "fp32" and is_cuda:
        remedy += " recipe.precision=bf16 halves the memory of the activations."
    return HarnessError(
        f"{images} images at once do not fit into the memory of the device ({reason})",
        where="recipe.batch",
        remedy=remedy,
    )


def estimate_memory(trial: Trial, size: tuple[int, int], images: int) -> int:
    """Return about how many bytes a training step takes; 0 for an external network, whose layers are unknown."""
    if isinstance(trial.variant, ExternalNetwork):
        return 0
    bytes_per_value = 2 if trial.recipe.precision in ("bf16", "fp16") else 4
    copies = 4 if trial.recipe.optimiser == "adamw" else 3
    return plan_layers(trial.variant, size).training_bytes(images, bytes_per_value, copies)
