"""Whether a device was measured alone: what other processes used of it meanwhile. And its energy meter, if any."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

MOST_OTHER_CORES = 0.2
"""Cores that everything else on the machine may use, on average, while a CPU is measured; an idle system uses less.

Seen on an idle machine of two cores: 0.01 to 0.02."""


class CpuContention:
    """Looks at the processors while those processes are measured, from its creation on.

    Over the whole of it, not turn by turn: the system counts in ticks of ten milliseconds.

    Args:
        measured: Numbers of the processes whose work is the measurement, with all below them, such as compilers; this
            one's is none of others either.
    """

    def __init__(self, measured: Sequence[int]) -> None:
        self.measured = measured
        self.began = self._reading()

    def seen(self) -> str:
        """What others used, in words, or why nobody can tell; empty where nothing did."""
        now = self._reading()
        if self.began is None or now is None:
            return "unknown, as this system does not say"
        cores = (now[1] - self.began[1]) / max(now[0] - self.began[0], 1e-3)
        return f"others used {cores:.1f} cores" if cores > MOST_OTHER_CORES else ""

    def _reading(self) -> tuple[float, float] | None:
        """(clock, processor seconds of everybody else), those that the hypervisor gave away among them."""
        with suppress(OSError, ValueError, IndexError):
            fields = [int(field) for field in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
            user, nice, system, _, _, interrupt, soft, stolen = fields
            busy = user + nice + system + interrupt + soft + stolen - _ticks(os.getpid(), self.measured)
            return time.perf_counter(), busy / os.sysconf("SC_CLK_TCK")
        return None


def _ticks(alone: int, trees: Sequence[int]) -> int:
    """Of processor time that a process has used, and others with all below them, those that have ended too.

    One that has ended keeps its count until it is waited for, which adds it to its parent's.

    Raises:
        OSError: One of them is not there.
    """
    everyone: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                everyone[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
    if missing := {alone, *trees} - everyone.keys():
        raise ProcessLookupError(f"no process {missing}")
    below: dict[int, list[int]] = {}
    for pid, fields in everyone.items():
        below.setdefault(int(fields[1]), []).append(pid)
    counted, waiting = set[int](), [*trees]
    while waiting:
        pid = waiting.pop()
        counted.add(pid)
        waiting += below.get(pid, [])
    # proc(5), fields 14 and 15: its own; 16 and 17: of those that it waited for.
    return sum(map(int, everyone[alone][11:13])) + sum(sum(map(int, everyone[pid][11:15])) for pid in counted)


class GpuContention:
    """Looks at a GPU while it is measured; of a CPU it knows nothing (:class:`Machine` does).

    Args:
        kind: Of the device.
        index: Of the GPU among those that this process may use.
    """

    def __init__(self, kind: Literal["cpu", "cuda"], index: int = 0) -> None:
        self.gpu = GpuMeter(index) if kind == "cuda" else None
        # Before this process has a context on the GPU, whoever is there is somebody else.
        self.others = self.gpu.processes() if self.gpu else 0

    def look(self) -> None:
        """Count the processes on it."""
        if self.gpu is not None:
            self.others = max(self.others, self.gpu.processes() - 1)

    def seen(self) -> str:
        """What else used it, in words, or why nobody can tell; empty where nothing did."""
        if self.gpu is not None and self.gpu.nvml is None:
            return "unknown, as NVML cannot be asked (pip install nvidia-ml-py)"
        return f"{self.others} other process{'es' * (self.others != 1)} on the GPU" if self.others > 0 else ""


class GpuMeter:
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
