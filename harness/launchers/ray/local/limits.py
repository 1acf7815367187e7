"""Limits of this machine that a local Ray session needs: open files, size of files, memory for its objects.

It is checked before Ray starts, because Ray itself would wait for a process that died, or end the driver.
"""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from harness.errors import HarnessError

INLINE = "Or use --launcher inline, which needs no Ray."
DESCRIPTORS, DESCRIPTORS_PER_WORKER = 96, 4
"""Ray's raylet has 58 open files, and three more for each worker (measured with Ray 2.60)."""
OBJECT_STORE_BYTES = 256 * 2**20
"""The shared memory of a session. It holds the trial groups and no data; 10,000 groups take 100 MiB."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (Ray's own place for shared memory)


def require_descriptors(workers: int) -> None:
    """Check that Ray's processes may open as many files as they need. Ray raises the soft limit to the hard one.

    Raises:
        HarnessError: They may not.
    """
    needed = DESCRIPTORS + DESCRIPTORS_PER_WORKER * workers
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise HarnessError(
            f"a process may open {hard} files here, and Ray needs {needed} on {workers} cores",
            where="ulimit -n",
            remedy=f"Run `ulimit -n {max(needed, 4096)}` in a new shell before the command; only an administrator can "
            f"raise a hard limit. {INLINE}",
        )


def require_file_size() -> None:
    """Check that a file may be as large as the object store: the system would end Ray's process without a message.

    Raises:
        HarnessError: It may not.
    """
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if largest != resource.RLIM_INFINITY and largest < OBJECT_STORE_BYTES:
        raise HarnessError(
            f"a file may have {largest / 2**20:.0f} MiB here, and Ray needs {OBJECT_STORE_BYTES // 2**20} MiB",
            where="ulimit -f",
            remedy=f"Run `ulimit -f unlimited` before the command. {INLINE}",
        )


def choose_object_store(directory: Path) -> dict[str, Any]:
    """Return the options of ``ray.init`` for the object store.

    Args:
        directory: The session's directory. It holds the object store if shared memory is too small, or read-only.

    Raises:
        HarnessError: Neither has room for it.
    """
    size = {"object_store_memory": OBJECT_STORE_BYTES}
    if has_room(SHARED_MEMORY):
        return size
    if has_room(directory):
        return {**size, "_plasma_directory": str(directory)}
    raise HarnessError(
        f"Ray needs {OBJECT_STORE_BYTES // 2**20} MiB of shared memory, and neither {SHARED_MEMORY} nor "
        f"{directory.parent} can hold them",
        where=str(SHARED_MEMORY),
        remedy=f"Delete files there, or start the container with --shm-size=1g, or set RAY_TMPDIR to a short directory "
        f"on a disk with space. {INLINE}",
    )


def has_room(directory: Path) -> bool:
    """Return whether a directory can be written to and has room for the object store."""
    try:
        with TemporaryFile(dir=directory):
            return shutil.disk_usage(directory).free > OBJECT_STORE_BYTES
    except OSError:
        return False
