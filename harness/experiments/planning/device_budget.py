"""The devices that a plan uses: trials at a time, memory that they share, GPU-hours and their price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from harness.errors import HarnessError
from harness.launchers.resources import count_cores
from harness.settings import Settings
from harness.specs import Resources
from harness.tracking.recorded_trial import RecordedTrial

USABLE_MEMORY = 0.9
"""Share of a device's memory that a plan uses."""
GIB = 2**30


def count_concurrent_trials(resources: Resources, settings: Settings) -> int:
    """Return how many trials run at the same time, on this machine or on the cluster of ``settings.at_once``."""
    if settings.launcher == "inline":
        return 1
    if settings.at_once:
        return min(settings.at_once, resources.max_concurrent or settings.at_once)
    concurrency = max(count_cores() // (resources.cpus * resources.workers), 1)
    if resources.gpus:
        concurrency = min(concurrency, int(1 / resources.gpus))
    return min(concurrency, resources.max_concurrent or concurrency)


@dataclass(frozen=True)
class GpuHours:
    """GPU-hours that a plan reserves, and their price.

    Attributes:
        hours: GPU-hours of the reservation, so the time in which a worker waits counts as well.
        price: Price of one GPU-hour in the user's own currency; None if the user gave none.
    """

    hours: float
    price: float | None = None

    @property
    def cost(self) -> float | None:
        """Price of all GPU-hours; None without a price."""
        return None if self.price is None else self.hours * self.price

    def __str__(self) -> str:
        hours = f"{self.hours:,.2f}" if self.hours < 10 else f"{self.hours:,.0f}"
        money = "" if self.cost is None else f", {self.cost:,.2f} at {self.price:g} each"
        return f"{hours} GPU-hours{money}"


def count_gpu_hours(seconds: float, resources: Resources, price: float | None) -> GpuHours | None:
    """Return the GPU-hours of trials that take ``seconds`` one after the other; None if they use no GPU.

    Raises:
        HarnessError: The price is not a number, or is given although trials use no GPU.
    """
    if price is not None and not isfinite(price):
        raise HarnessError(f"{price} is not a price", where="--price", remedy="Write a number, such as 2.5.")
    if price is not None and not resources.gpus:
        raise HarnessError(
            "the price is for a GPU-hour, but trials ask for no GPU",
            where="--price",
            remedy="Set resources.gpus, or leave the price out.",
        )
    return GpuHours(seconds * resources.gpus * resources.workers / 3600, price) if resources.gpus else None


def memory_warning(
    recorded: Iterable[RecordedTrial], resources: Resources, concurrency: int, one_machine: bool = True
) -> str:
    """Return a warning if so many trials at a time would not fit into the memory of their device; empty if they fit.

    Trials share a GPU by their fraction of it; on one machine without GPUs all trials share its memory. On several
    machines without GPUs there is no warning, because Ray decides how many trials each machine runs.

    Args:
        recorded: Recorded trials of the experiment, with the memory that each of them took.
        one_machine: Whether all trials run on one machine.
    """
    measured = [run.memory for run in recorded if all(run.memory)]
    if not measured or resources.gpus == 1 or not (resources.gpus or one_machine):
        return ""
    sharing = min(int(1 / resources.gpus + 1e-6), concurrency) if resources.gpus else concurrency * resources.workers
    peak, device = max(measured, key=lambda memory: memory[0] / memory[1])
    fitting = max(int(USABLE_MEMORY * device / peak), 1)
    if sharing <= fitting:
        return ""
    if resources.gpus:
        device_name, setting = "a GPU", f"resources.gpus={_smallest_gpu_share(fitting):g}"
    else:
        device_name, setting = "the machine", f"resources.max_concurrent={max(fitting // resources.workers, 1)}"
    return (
        f"{sharing} trials would share {device_name} of {device / GIB:.1f} GiB, and the largest recorded one took "
        f"{peak / GIB:.1f}: use --set {setting}"
    )


def _smallest_gpu_share(trials: int) -> float:
    """Return the smallest share of a GPU, in hundredths, at which no more than ``trials`` trials share it."""
    return -(-100 // trials) / 100
