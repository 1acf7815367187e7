"""The resources of a machine: its cores, and how many trials it has room for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError
from harness.specs import Resources

ACCELERATOR_PREFIX = "accelerator_type:"
"""Begins the name of a resource that Ray gives to nodes with a certain kind of GPU."""
ACCELERATOR_AMOUNT = 0.001
"""How much of that resource a worker reserves. It only selects the node; the GPUs limit the number of workers."""


def count_cores() -> int:
    """Return the processor cores that this process may use, by its affinity and its container's share of time."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(int(quota) // int(period), 1))
    return count


def build_bundle(resources: Resources) -> dict[str, float]:
    """Return the resources that one worker of a trial reserves, by the names that Ray gives them."""
    bundle: dict[str, float] = {"CPU": resources.cpus}
    if resources.gpus:
        bundle["GPU"] = resources.gpus
    if resources.accelerator is not None:
        bundle[f"{ACCELERATOR_PREFIX}{resources.accelerator}"] = ACCELERATOR_AMOUNT
    return bundle


def count_workers(resources: Resources, node: Mapping[str, float]) -> int:
    """Return how many workers of trials fit on a node at once.

    Args:
        resources: What one trial needs.
        node: The node's resources, by the names that Ray gives them.
    """
    # In binary, three times a third of a GPU is less than a whole one.
    return min(int(node.get(name, 0) / amount + 1e-6) for name, amount in build_bundle(resources).items())


def describe_resources(resources: Resources) -> str:
    """Return what one trial needs, in words."""
    plural = "s" * (resources.cpus != 1)
    worker = f"{resources.cpus} CPU{plural} and {resources.gpus:g} GPUs"
    kind = f" of the kind {resources.accelerator}" if resources.accelerator else ""
    return f"{worker}{kind}" if resources.workers == 1 else f"{resources.workers} workers, each with {worker}{kind}"


def require_local_resources(resources: Resources, precision: str) -> None:
    """Check, before anything starts, that this machine has room for one trial.

    Raises:
        HarnessError: A trial needs more cores or GPUs than there are, or a precision that the device lacks.
    """
    if resources.cpus * resources.workers > count_cores():
        raise HarnessError(
            f"a trial needs {resources.cpus * resources.workers} CPUs, and this machine has {count_cores()}",
            where="resources.cpus",
            remedy=f"Use at most {count_cores()}: --set resources.cpus={count_cores()}."
            if resources.workers == 1
            else f"Use fewer workers (resources.workers is {resources.workers}), or a cluster with --address.",
        )
    if resources.gpus or precision != "fp32":
        from harness.training.device import choose_device

        choose_device(resources, precision)
        if resources.workers > 1 and resources.gpus:
            # torch is imported only if it matters.
            import torch

            gpus = torch.cuda.device_count()
            if resources.workers > gpus:
                raise HarnessError(
                    f"a trial needs a GPU for each of its {resources.workers} workers, and this machine has {gpus}",
                    where="resources.workers",
                    remedy=f"Use at most {gpus}: --set resources.workers={gpus}, or a cluster with --address.",
                )
