"""The three timers of a trial: training, evaluation and recording. Only the first is reported as training time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from harness.training.core_times import CoreTimes, read_thread_times

TIMERS = ("train", "eval", "record")


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
