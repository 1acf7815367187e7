"""The three timers of a trial: training, evaluation and recording. Only the first is reported as training time.

The time that the threads waited for a core, as the scheduler of Linux counts it, says whether other programs used it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

TIMERS = ("train", "eval", "record")
MAX_WAITING_SHARE = 1 / 3
"""Share of waiting above which a trial shared its cores, so that its seconds must not be compared.

On two cores, Ray's own processes make an undisturbed trial wait for 5 to 15 % of its time, and the first trials of a
run for up to 28 %. One busy program makes it wait for about half.
"""
NANOSECONDS = 1e9
ThreadTimes = Mapping[int, tuple[int, int]]
"""By the number of each thread, the nanoseconds that it ran, and those that it waited for a core; empty if unknown."""


@dataclass(frozen=True)
class CoreTimes:
    """Seconds that threads ran, and that they waited for a core although they could have run.

    They wait where more threads are ready than there are cores: because of other programs, or of other threads of this
    process. A program on another core costs no waiting, although it may use the same caches and memory.
    """

    running: float = 0.0
    waiting: float = 0.0

    @property
    def waiting_share(self) -> float | None:
        """The share of waiting in both times; None where neither was measured."""
        total = self.running + self.waiting
        return self.waiting / total if total else None

    @property
    def is_shared(self) -> bool:
        """Whether the threads waited for more than :data:`MAX_WAITING_SHARE` of the time; no if it is not known."""
        return (self.waiting_share or 0.0) > MAX_WAITING_SHARE

    def add(self, before: ThreadTimes, after: ThreadTimes) -> CoreTimes:
        """Return these times with those of all threads between two readings. A thread that has ended counts nothing."""
        running, waiting = (
            sum(times[i] - before.get(thread, (0, 0))[i] for thread, times in after.items()) / NANOSECONDS
            for i in (0, 1)
        )
        return CoreTimes(self.running + running, self.waiting + waiting)


def read_thread_times() -> ThreadTimes:
    """Return the times of all threads of this process up to now; empty where the system does not report them.

    It takes 0.02 ms for each thread.
    """
    times = {}
    with suppress(OSError), os.scandir("/proc/self/task") as folders:
        for folder in folders:
            # Another kind of kernel has no such file, nor has a thread that has ended just now.
            with suppress(OSError, ValueError):
                running, waiting, _ = Path(folder.path, "schedstat").read_bytes().split()
                times[int(folder.name)] = (int(running), int(waiting))
    return times


class Timers:
    """The seconds of each part of a trial. A checkpoint keeps them, so they cover all attempts.

    Attributes:
        seconds: By name of :data:`TIMERS`.
        cores: How long the threads ran and waited for a core during training.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = dict.fromkeys(TIMERS, 0.0)
        self.cores = CoreTimes()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to a timer; wait for the device before and after, to count all its work."""
        # Read outside the timed block, so that reading costs no training time.
        before = read_thread_times() if name == "train" else {}
        self._synchronise()
        start = time.perf_counter()
        yield
        self._synchronise()
        self.seconds[name] += time.perf_counter() - start
        if before:
            self.cores = self.cores.add(before, read_thread_times())

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
