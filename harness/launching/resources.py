"""What this machine has, and how many trials a machine takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError
from harness.specs import Resources


def cores() -> int:
    """Processor cores that this process may use: its affinity, and its container's share of time."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(int(quota) // int(period), 1))
    return count


def fits(has: Mapping[str, float], wanted: Resources) -> int:
    """How many trials one machine takes at once.

    Args:
        has: Of the machine, by Ray's names: ``CPU`` and ``GPU``.
    """
    most = int(has.get("CPU", 0) // wanted.cpus)
    if wanted.gpus:
        # Fractions share a GPU, and no trial spans two of them.
        most = min(most, int(has.get("GPU", 0)) * int(1 / wanted.gpus))
    return most


def require_local(resources: Resources, precision: str) -> None:
    """Refuse a trial that this machine can not hold, before anything is started.

    Raises:
        HarnessError: More cores are asked for than there are, or a GPU and there is none.
    """
    if resources.cpus > cores():
        raise HarnessError(
            f"a trial asks for {resources.cpus} CPUs and this machine has {cores()}",
            where="resources.cpus",
            remedy=f"Use at most {cores()}: --set resources.cpus={cores()}.",
        )
    if resources.gpus or precision != "fp32":
        from harness.training.device import choose_device

        choose_device(resources, precision)
