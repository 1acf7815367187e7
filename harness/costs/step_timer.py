"""The time of single steps on a CPU or a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

Step = Callable[[], None]
MIN_STEPS, MAX_STEPS = 2, 200
"""The number of timed steps of a turn, whatever its seconds."""


class StepTimer:
    """A timer for the steps of one device: the clock of the host for a CPU, events in the queue for a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.is_cuda = device, device.type == "cuda"

    def time_once(self, step: Step) -> float:
        """Return the seconds of one step by the host's clock, to the end of its work on the device."""
        start = time.perf_counter()
        step()
        self._synchronise()
        return time.perf_counter() - start

    def time_steps(self, step: Step, seconds: float, synchronous: bool) -> list[float]:
        """Return the seconds of each of many steps.

        Args:
            step: The work to time.
            seconds: How long to measure, within MIN_STEPS and MAX_STEPS.
            synchronous: Whether each step waits for the one before to end. Otherwise a GPU has the next step in its
                queue, as in training.
        """
        if self.is_cuda:
            return self._time_on_gpu(step, seconds, synchronous)
        times: list[float] = []
        last = start = time.perf_counter()
        while len(times) < MIN_STEPS or (last - start < seconds and len(times) < MAX_STEPS):
            step()
            now = time.perf_counter()
            times.append(now - last)
            last = now
        return times

    def _time_on_gpu(self, step: Step, seconds: float, synchronous: bool) -> list[float]:
        """Time by the GPU's own clock. Where steps are queued, at most two are in the queue."""
        began = time.perf_counter()
        start = _record_event()
        spans: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        while len(spans) < MIN_STEPS or (time.perf_counter() - began < seconds and len(spans) < MAX_STEPS):
            step()
            end = _record_event()
            (end if synchronous else start).synchronize()
            spans.append((start, end))
            start = _record_event() if synchronous else end
        self._synchronise()
        return [start.elapsed_time(end) / 1000 for start, end in spans]

    def _synchronise(self) -> None:
        if self.is_cuda:
            torch.cuda.synchronize(self.device)


def _record_event() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event
