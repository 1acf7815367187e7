"""Processes that can be told from later ones with the same number, and the memory that they take."""

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

from pydantic import BaseModel, ConfigDict


class Process(BaseModel):
    """A process of some host.

    Attributes:
        born: When it started, in the system's own ticks.
        system: Which boot of which kernel, and which space of process numbers: two containers may share a host's name.
    """

    model_config = ConfigDict(frozen=True)

    host: str
    pid: int
    born: str = ""
    system: str = ""

    @classmethod
    def this(cls) -> Process:
        """The one that asks."""
        return cls(host=socket.gethostname(), pid=os.getpid(), born=_born(os.getpid()), system=_system())

    @property
    def here(self) -> bool:
        """Whether it is a process of this host."""
        return (self.host, self.system) == (socket.gethostname(), _system())

    @property
    def gone(self) -> bool:
        """Whether it has certainly ended; of another host nothing is certain."""
        return self.here and _born(self.pid) != self.born

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _born(pid: int) -> str:
    """Start of a process in clock ticks since boot (Linux), elsewhere only that it is there; empty where it is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # A zombie does nothing any more.
        return "" if fields[0] == "Z" else fields[19]
    if not Path("/proc/self/stat").exists():
        with suppress(OSError):
            os.kill(pid, 0)
            return "there"
    return ""


def _system() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def most_resident() -> int:
    """Most bytes that this process held; Linux's own count, as that of getrusage begins with the parent's."""
    with suppress(OSError, ValueError, IndexError):
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_most_resident() -> None:
    """Count anew from what is held now, where the system can do that: a worker trains one trial after another."""
    with suppress(OSError):
        # 5 is for the peak, in proc(5).
        Path("/proc/self/clear_refs").write_text("5")


def machine_memory() -> int:
    """Bytes of this machine, or of the container if that has less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
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
