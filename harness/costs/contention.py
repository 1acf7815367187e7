"""Contention: what other processes used of a device while it was measured. Also the energy meter of a GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

MAX_CORES_OF_OTHERS = 0.2
"""Cores that other processes may use on average while a CPU is measured. An idle machine of two cores uses 0.02."""


class CpuContention:
    """The processor time that other processes use, from the creation of this object on.

    It covers the whole measurement and not single turns, because the system counts in ticks of ten milliseconds.

    Args:
        measured: Numbers of the measured processes. Their child processes, such as compilers, belong to them, and this
            process is not counted as another one.
    """

    def __init__(self, measured: Sequence[int]) -> None:
        self.measured = measured
        self._start = self._read_clock_and_seconds()

    def cores_of_others(self) -> float | None:
        """Return how many cores other processes used on average; None if the system does not report it."""
        now = self._read_clock_and_seconds()
        if self._start is None or now is None:
            return None
        return (now[1] - self._start[1]) / max(now[0] - self._start[0], 1e-3)

    def describe(self) -> str:
        """Return what other processes used, or that it is unknown; empty where they used next to nothing."""
        cores = self.cores_of_others()
        if cores is None:
            return "unknown, because this system does not report processor times"
        return f"others used {cores:.1f} cores" if cores > MAX_CORES_OF_OTHERS else ""

    def _read_clock_and_seconds(self) -> tuple[float, float] | None:
        """Return (clock, processor seconds of other processes and of other virtual machines on this host)."""
        with suppress(OSError, ValueError, IndexError):
            fields = [int(field) for field in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
            user, nice, system, _, _, interrupt, soft_interrupt, stolen = fields
            busy = user + nice + system + interrupt + soft_interrupt + stolen
            own = _count_ticks(os.getpid(), self.measured)
            return time.perf_counter(), (busy - own) / os.sysconf("SC_CLK_TCK")
        return None


def _count_ticks(single: int, parents: Sequence[int]) -> int:
    """Return the processor time of one process, and of others together with their descendants, in clock ticks.

    Descendants that have ended are counted too: a process that waits for a child takes over the child's ticks, and
    until then the system keeps the child's entry.

    Raises:
        OSError: One of the processes does not exist.
    """
    stat_fields: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                stat_fields[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
    if missing := {single, *parents} - stat_fields.keys():
        raise ProcessLookupError(f"no process {missing}")
    children: dict[int, list[int]] = {}
    for pid, fields in stat_fields.items():
        children.setdefault(int(fields[1]), []).append(pid)
    family, queue = set[int](), [*parents]
    while queue:
        pid = queue.pop()
        family.add(pid)
        queue += children.get(pid, [])
    # Fields 14 and 15 of proc(5) are a process's own ticks, 16 and 17 those of the children it has waited for.
    return sum(map(int, stat_fields[single][11:13])) + sum(sum(map(int, stat_fields[pid][11:15])) for pid in family)


class GpuContention:
    """The other processes on a GPU while it is measured. For a CPU it reports none; see :class:`CpuContention`.

    Args:
        kind: The kind of device.
        index: The number of the GPU among those that this process may use.
    """

    def __init__(self, kind: Literal["cpu", "cuda"], index: int = 0) -> None:
        self.meter = GpuMeter(index) if kind == "cuda" else None
        # This process does not use the GPU yet, so every process there is another one.
        self.max_others = self.meter.count_processes() if self.meter else 0

    def sample(self) -> None:
        """Count the other processes on the GPU now, and keep the largest number."""
        if self.meter is not None:
            self.max_others = max(self.max_others, self.meter.count_processes() - 1)

    def describe(self) -> str:
        """Return how many other processes used the GPU, or that it is unknown; empty for none."""
        if self.meter is not None and self.meter.nvml is None:
            return "unknown, because NVML is missing (pip install nvidia-ml-py)"
        return f"{self.max_others} other process{'es' * (self.max_others != 1)} on the GPU" if self.max_others else ""


class GpuMeter:
    """The processes and the energy of a GPU, read from NVIDIA's management library (NVML).

    NVML numbers GPUs by their position on the bus. CUDA does the same where CUDA_DEVICE_ORDER is PCI_BUS_ID, which the
    launcher sets for the process that measures.

    Args:
        index: The number of the GPU among those that this process may use.

    Attributes:
        nvml: The library; None if it is missing or does not support the GPU.
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

    def count_processes(self) -> int:
        """Return how many processes compute on the GPU, inside and outside this container; 0 if unknown."""
        with suppress(Exception):
            return len(self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle))
        return 0

    def read_joules(self) -> float | None:
        """Return the energy used since the driver was loaded; None for a GPU without a meter (before Volta)."""
        with suppress(Exception):
            return float(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) / 1000
        return None
