"""Three clocks: training, evaluation, recording. Only the training clock is ever called training time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

CLOCKS = ("train", "eval", "record")


class Timers:
    """Seconds spent in each part of a trial, over all its attempts (they are kept in the checkpoint)."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = dict.fromkeys(CLOCKS, 0.0)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Run the named clock; the device is synchronised at both ends, so that its work is counted where it is due."""
        self._synchronise()
        start = time.perf_counter()
        yield
        self._synchronise()
        self.seconds[name] += time.perf_counter() - start

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
