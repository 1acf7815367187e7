"""Processes that can be identified later, the memory they use, and how a child process of this package starts."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil
from pydantic import BaseModel, ConfigDict

ALIVE = "there"
"""The value of ``born`` for every running process on systems without /proc."""


class Process(BaseModel):
    """One process of one host. It is never confused with a later process of the same number.

    Leases and attempts store it as JSON, so its fields keep their names.

    Attributes:
        born: Start of the process in clock ticks since the system's boot.
        system: The boot of the kernel and the namespace of process numbers: containers can share a host name.
    """

    model_config = ConfigDict(frozen=True)

    host: str
    pid: int
    born: str = ""
    system: str = ""

    @classmethod
    def local(cls, pid: int) -> Process:
        """Return the process with this number on this host."""
        return cls(host=socket.gethostname(), pid=pid, born=_start_ticks(pid), system=_system_id())

    @classmethod
    def current(cls) -> Process:
        """Return this process."""
        return cls.local(os.getpid())

    @property
    def is_local(self) -> bool:
        """Whether it is a process of this host."""
        return (self.host, self.system) == (socket.gethostname(), _system_id())

    @property
    def has_ended(self) -> bool:
        """Whether it has certainly ended. False for every process of another host, which cannot be checked here."""
        return self.is_local and _start_ticks(self.pid) != self.born

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _start_ticks(pid: int) -> str:
    """Return the start of a process in clock ticks since boot; empty if it does not run."""
    # Not psutil's create_time: it adds the boot time of the wall clock, which moves when the clock is corrected. The
    # ticks are exact, and files of running trials hold them.
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        is_zombie = fields[0] == "Z"
        return "" if is_zombie else fields[19]
    if not Path("/proc/self/stat").exists() and psutil.pid_exists(pid):
        return ALIVE
    return ""


def _system_id() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def peak_resident_bytes() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    # psutil has no peak on Linux, and getrusage's begins with the peak of the parent process.
    with suppress(OSError, ValueError, IndexError):
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def reset_peak_resident_bytes() -> None:
    """Set the peak to the memory that is resident now, on Linux: a worker trains one trial after another."""
    with suppress(OSError):
        # 5 resets the peak, see proc(5).
        Path("/proc/self/clear_refs").write_text("5")


def machine_memory() -> int:
    """Return the memory in bytes of this machine, or of the container if that has less."""
    limits = [psutil.virtual_memory().total]
    with suppress(OSError, ValueError):
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits)


@contextmanager
def start_module(
    name: str,
    stdout: int | IO[Any],
    stderr: int | IO[Any],
    environment: Mapping[str, str] | None = None,
    own_session: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of this package in a child process, and kill that process at the end of the block.

    The child's standard input is a pipe from this process: the child reads its end when this process is gone.

    Args:
        name: Full name of the module, such as ``harness.execution.worker``.
        stdout: A file, or ``subprocess.PIPE``.
        stderr: A file. A pipe that this process does not read would block the child once it is full.
        environment: Variables that the child has in addition to those of this process.
        own_session: Start the child in a session of its own, so that Ctrl-C in the terminal does not reach it.
    """
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    process = subprocess.Popen(  # noqa: S603 (this Python and a module of this package)
        # -P: without it a file in the working directory could replace a module of the same name.
        [sys.executable, "-P", "-m", name],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        start_new_session=own_session,
    )
    try:
        yield process
    finally:
        process.kill()
        for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
            # Closing the standard input writes what is left in its buffer, and the child is dead.
            with suppress(BrokenPipeError):
                stream.close()
        process.wait()
