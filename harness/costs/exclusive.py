"""Whether a device was measured alone: what other processes used of it meanwhile. And its energy meter, if any."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

MOST_OTHER_CORES = 0.4
"""Cores that everything else on the machine may use, on average, while a CPU is measured; an idle system uses less.

Seen on an idle machine of two cores: up to 0.25, threads of a process that just gave up its turn among it."""


class Watch:
    """Looks at a device while it is measured: between :meth:`start` and :meth:`pause`, as often as wanted.

    A GPU that waits for the processor is slowed down by whoever keeps that busy, so both are looked at.

    Args:
        kind: Of the device.
        index: Of the GPU among those that this process may use.
    """

    def __init__(self, kind: Literal["cpu", "cuda"], index: int = 0) -> None:
        self.gpu = Gpu(index) if kind == "cuda" else None
        # Before this process has a context on the GPU, whoever is there is somebody else.
        self.others = self.gpu.processes() if self.gpu else 0
        self.clock = self.busy = 0.0

    def begin(self) -> None:
        """Forget what was seen: another phase begins."""
        self.clock = self.busy = 0.0

    def start(self) -> None:
        """Look from here on."""
        self._began = _reading()

    def pause(self) -> None:
        """Look no longer: what comes next is none of the measurement."""
        now = _reading()
        if self._began is not None and now is not None:
            self.clock += now[0] - self._began[0]
            self.busy += now[1] - self._began[1]
        if self.gpu is not None:
            self.others = max(self.others, self.gpu.processes() - 1)

    def seen(self) -> str:
        """What else used the device, in words, or why nobody can tell; empty where nothing did."""
        if self.gpu is not None and self.gpu.nvml is None:
            return "unknown, as NVML cannot be asked (pip install nvidia-ml-py)"
        if self.others > 0:
            return f"{self.others} other process{'es' * (self.others != 1)} on the GPU"
        if self._began is None:
            return "unknown, as this system does not say"
        cores = self.busy / max(self.clock, 1e-3)
        return f"others used {cores:.1f} cores" if cores > MOST_OTHER_CORES else ""


def _reading() -> tuple[float, float] | None:
    """(clock, processor seconds of everybody else since boot), those that the hypervisor gave away among them."""
    with suppress(OSError, ValueError, IndexError):
        fields = [int(field) for field in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
        user, nice, system, _, _, interrupt, soft, stolen = fields
        busy = (user + nice + system + interrupt + soft + stolen) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), busy - time.process_time()
    return None


class Gpu:
    """A GPU as NVIDIA's management library sees it; ``nvml`` is None where that cannot be asked.

    It numbers GPUs by their place on the bus, as CUDA does where CUDA_DEVICE_ORDER says so; the worker's does.

    Args:
        index: Among the GPUs that this process may use.
    """

    def __init__(self, index: int) -> None:
        self.nvml: Any = None
        with suppress(Exception):
            import pynvml

            pynvml.nvmlInit()
            allowed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
            name = allowed.split(",")[index].strip() if allowed else str(index)
            find = pynvml.nvmlDeviceGetHandleByIndex if name.isdigit() else pynvml.nvmlDeviceGetHandleByUUID
            self.handle = find(int(name) if name.isdigit() else name.encode())
            self.nvml = pynvml

    def processes(self) -> int:
        """Processes that compute on it, of this container or not."""
        with suppress(Exception):
            return len(self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle))
        return 0

    def joules(self) -> float | None:
        """Energy since the driver was loaded; None where the device has no meter (before Volta)."""
        with suppress(Exception):
            return float(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) / 1000
        return None
