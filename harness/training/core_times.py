"""How long the threads of this process ran on a core and waited for one, as the scheduler of Linux counts it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAX_WAITING_SHARE = 0.05
"""Share of waiting above which a trial shared its cores, so that its seconds must not be compared."""
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
