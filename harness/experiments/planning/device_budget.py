"""Whether trials that share a device fit it, by what recorded ones took; and what the rest of a plan costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from harness.errors import HarnessError
from harness.specs import Resources
from harness.tracking.mlflow_record.reader import RecordedTrial

ROOM = 0.9
"""Share of a device's memory that a plan counts on."""
GIB = 2**30


@dataclass(frozen=True)
class GpuHours:
    """What a plan takes of GPUs.

    Attributes:
        hours: GPU-hours: the reservation's, so that a worker that waits counts as well.
        price: Of one of them, in the user's own currency; None where it is not said.
    """

    hours: float
    price: float | None = None

    @property
    def cost(self) -> float | None:
        """Of all."""
        return None if self.price is None else self.hours * self.price

    def __str__(self) -> str:
        hours = f"{self.hours:,.2f}" if self.hours < 10 else f"{self.hours:,.0f}"
        money = "" if self.cost is None else f", {self.cost:,.2f} at {self.price:g} each"
        return f"{hours} GPU-hours{money}"


def gpu_hours(seconds: float, resources: Resources, price: float | None) -> GpuHours | None:
    """Of trials that take so many seconds one after the other; None on CPUs.

    Raises:
        HarnessError: A price of GPU-hours, where there are none.
    """
    if price is not None and not isfinite(price):
        raise HarnessError(f"{price} is no price", where="--price", remedy="Write a number, such as 2.5.")
    if price is not None and not resources.gpus:
        raise HarnessError(
            "it is of a GPU-hour, and trials ask for no GPU",
            where="--price",
            remedy="Set resources.gpus, or leave it out.",
        )
    return GpuHours(seconds * resources.gpus * resources.workers / 3600, price) if resources.gpus else None


def memory_warning(
    recorded: Iterable[RecordedTrial], resources: Resources, concurrency: int, one_machine: bool = True
) -> str:
    """What to say where so many trials at once would not fit their device; empty where they do, or nobody knows.

    Of a GPU those that share it, of one machine all; how many come to share each of several, Ray decides.
    """
    known = [run.memory for run in recorded if all(run.memory)]
    if not known or resources.gpus == 1 or not (resources.gpus or one_machine):
        return ""
    together = min(int(1 / resources.gpus + 1e-6), concurrency) if resources.gpus else concurrency * resources.workers
    peak, device = max(known, key=lambda memory: memory[0] / memory[1])
    fit = max(int(ROOM * device / peak), 1)
    if together <= fit:
        return ""
    what, remedy = (
        ("a GPU", f"resources.gpus={_share(fit):g}") if resources.gpus else ("the machine", "resources.max_concurrent")
    )
    if not resources.gpus:
        remedy += f"={max(fit // resources.workers, 1)}"
    return (
        f"{together} trials would share {what} of {device / GIB:.1f} GiB, and the largest recorded one took "
        f"{peak / GIB:.1f}: use --set {remedy}"
    )


def _share(trials: int) -> float:
    """The smallest share of a GPU that so many trials can have each, in hundredths."""
    return -(-100 // trials) / 100
