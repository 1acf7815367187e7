"""What this machine has, and how many trials a machine takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError
from harness.specs import Resources


def available_cores() -> int:
    """Processor cores that this process may use: its affinity, and its container's share of time."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(int(quota) // int(period), 1))
    return count


ACCELERATOR = "accelerator_type:"
"""Before the name of a kind of GPU, in the resources of a Ray node that has such."""
SLIVER = 0.001
"""Of that resource: it says where, the GPUs say how many."""


def ray_bundle(resources: Resources) -> dict[str, float]:
    """What one worker of a trial asks Ray for."""
    wanted: dict[str, float] = {"CPU": resources.cpus}
    if resources.gpus:
        wanted["GPU"] = resources.gpus
    if resources.accelerator is not None:
        wanted[f"{ACCELERATOR}{resources.accelerator}"] = SLIVER
    return wanted


def workers_per_node(resources: Resources, node: Mapping[str, float]) -> int:
    """How many workers of trials a node with these resources holds at once."""
    # Fractions of a GPU, such as a third, do not add up to one in binary.
    return min(int(node.get(name, 0) / each + 1e-6) for name, each in ray_bundle(resources).items())


def describe_request(resources: Resources) -> str:
    """What a trial asks for."""
    plural = "s" * (resources.cpus != 1)
    each = f"{resources.cpus} CPU{plural} and {resources.gpus:g} GPUs"
    kind = f" of the kind {resources.accelerator}" if resources.accelerator else ""
    return f"{each}{kind}" if resources.workers == 1 else f"{resources.workers} workers, each with {each}{kind}"


def require_local(resources: Resources, precision: str) -> None:
    """Refuse a trial that this machine can not hold, before anything is started.

    Raises:
        HarnessError: More cores or GPUs are asked for than there are.
    """
    if resources.cpus * resources.workers > available_cores():
        raise HarnessError(
            f"a trial asks for {resources.cpus * resources.workers} CPUs and this machine has {available_cores()}",
            where="resources.cpus",
            remedy=f"Use at most {available_cores()}: --set resources.cpus={available_cores()}."
            if resources.workers == 1
            else f"Use fewer workers (resources.workers is {resources.workers}), or a cluster with --address.",
        )
    if resources.gpus or precision != "fp32":
        from harness.training.device import choose_device

        choose_device(resources, precision)
        # Only where it can matter is torch asked.
        if resources.workers > 1 and resources.gpus:
            import torch

            there = torch.cuda.device_count()
            if resources.workers > there:
                raise HarnessError(
                    f"a trial asks for a GPU for each of {resources.workers} workers and this machine has {there}",
                    where="resources.workers",
                    remedy=f"Use at most {there}: --set resources.workers={there}, or a cluster with --address.",
                )
