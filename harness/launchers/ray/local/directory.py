"""The private directory of a local Ray session: short enough for sockets, and deleted when the session is over."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.processes import Process
from harness.settings.user_paths import resolve_path

PREFIX = "dbray-"
"""Begins the name of each directory. mkdtemp adds eight random characters."""
OWNER = "owner.json"
"""File with the process of a session, by which a later session recognises what a killed process has left."""
SOCKET = "/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store"
"""The longest path that Ray appends to the directory; the last number of its first part is the process, below 2^22."""
MAX_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
"""The system's limit for the path of a socket, in bytes (sun_path, unix(7))."""
PROBE_BYTES = 64 * 1024
"""Written into a new directory, because a full disk still takes empty files."""
FREE_BYTES = 64 * 2**20
"""Space for Ray's logs, and for objects that do not fit the object store."""
OTHER_BASES = ("/tmp", "/var/tmp", "XDG_RUNTIME_DIR", "/dev/shm")  # noqa: S108 (each is checked, names are random)
"""Where the directory is made if TMPDIR is not usable: paths, and a variable that holds one."""


def create_directory() -> Path:
    """Create a directory that only this user can enter, and return its path.

    It lies in RAY_TMPDIR if the user has set that, else in the first usable one of TMPDIR and the system's directories
    for temporary files. Directories that killed processes have left there are deleted.

    Raises:
        HarnessError: No directory can be used.
    """
    problems = {}
    for base in list_bases():
        try:
            _require_safe(base)
            directory = Path(mkdtemp(prefix=PREFIX, dir=base))
        except OSError as error:
            problems[str(base)] = error.strerror or str(error)
            continue
        try:
            _probe(directory)
        except OSError as error:
            shutil.rmtree(directory, ignore_errors=True)
            problems[str(base)] = error.strerror or str(error)
            continue
        _delete_abandoned(base)
        return directory
    chosen = os.environ.get("RAY_TMPDIR")
    found = "; ".join(f"{base}: {problem}" for base, problem in problems.items())
    raise HarnessError(
        f"Ray needs a directory for its sockets, and found none that it can use ({found})",
        where="RAY_TMPDIR" if chosen else "TMPDIR",
        remedy="Set RAY_TMPDIR to a short directory on a local disk that you can write to, such as RAY_TMPDIR=/tmp. "
        "Or use --launcher inline, which needs no Ray.",
    )


def list_bases() -> list[Path]:
    """Return the directories in which the session's directory may be made, the preferred one first."""
    if chosen := os.environ.get("RAY_TMPDIR"):
        return [resolve_path(chosen, "RAY_TMPDIR", "RAY_TMPDIR").absolute()]
    names = [
        os.environ.get("TMPDIR", ""),
        *(os.environ.get(name, "") if "/" not in name else name for name in OTHER_BASES),
    ]
    return [Path(name).absolute() for name in dict.fromkeys(names) if name]


def _require_safe(base: Path) -> None:
    """Raise OSError if the base is too long, or if another user could replace the session's directory in it."""
    length = len(os.fsencode(base)) + len(f"/{PREFIX}12345678{SOCKET}")
    if length > MAX_SOCKET_PATH:
        raise OSError(f"its path is {length - MAX_SOCKET_PATH} bytes too long for a socket")
    status = base.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise OSError("it is not a directory")
    # In a user namespace the root directory, and not number 0, tells who root is.
    if status.st_uid not in (0, os.geteuid(), Path("/").stat().st_uid):
        raise OSError("it belongs to another user")
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise OSError("other users can replace files in it (it has no sticky bit)")


def _probe(directory: Path) -> None:
    """Write what a session needs: a file, a socket, and the session's process."""
    free = shutil.disk_usage(directory).free
    if free < FREE_BYTES:
        raise OSError(f"it has {free / 2**20:.0f} MiB of free space, and Ray needs {FREE_BYTES // 2**20} MiB")
    file = directory / "probe"
    file.write_bytes(bytes(PROBE_BYTES))
    file.unlink()
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(file))
    file.unlink()
    (directory / OWNER).write_text(Process.current().model_dump_json())


def _delete_abandoned(base: Path) -> None:
    """Delete the directories of this user's sessions whose process has ended without deleting them."""
    for directory in base.glob(f"{PREFIX}*"):
        with suppress(OSError, ValidationError):
            status = directory.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                owner = Process.model_validate_json((directory / OWNER).read_text())
                if owner.has_ended:
                    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def private_file(path: Path) -> Iterator[int]:
    """Create a file that only this user can read, and yield its descriptor.

    Raises:
        OSError: The file exists, or cannot be created.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
