"""The three timers of a trial: training, evaluation and recording. Only the first is reported as training time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

TIMERS = ("train", "eval", "record")


class Timers:
    """The seconds of each part of a trial. A checkpoint keeps them, so they cover all attempts.

    Attributes:
        seconds: By name of :data:`TIMERS`.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = dict.fromkeys(TIMERS, 0.0)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to a timer; wait for the device before and after, to count all its work."""
        self._synchronise()
        start = time.perf_counter()
        yield
        self._synchronise()
        self.seconds[name] += time.perf_counter() - start

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
