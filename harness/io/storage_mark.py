"""The mark of a storage: a random name in a file, by which a worker checks that it sees the driver's storage.

Two hosts may hold different directories at the same path, for example where a network disk is not mounted.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from uuid import uuid4

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.storage import Folder

MARK = ".depthbench-storage"
"""Name of the file that holds the mark."""
TIE_SECONDS = 1.0
"""Waiting time on stores without exclusive creation, until two processes that write a mark at once read the same."""


class WrongStorage(HarnessError):
    """This host sees another storage than the host that runs the experiment."""


def ensure_mark(storage: Folder) -> str:
    """Return the mark of a storage; write one first where there is none."""
    if not read_mark(storage):
        mark = uuid4().hex
        if storage.path is not None:
            # A hard link to a finished file: another process that reads at this moment gets the whole mark or none.
            temporary = storage.path / f"{MARK}.{mark}"
            write_atomic(temporary, mark.encode())
            with storage.explain_errors(), suppress(FileExistsError):
                os.link(temporary, storage.path / MARK)
            storage.remove(temporary.name)
        elif storage.write_new(MARK, mark.encode()):
            time.sleep(TIE_SECONDS)
    return storage.read(MARK).decode()


def read_mark(storage: Folder) -> str:
    """Return the mark of a storage; empty where it has none.

    It reads the file without a listing, because a listing of ten thousand trials takes an object store seconds.
    """
    try:
        return storage.read(MARK).decode()
    except HarnessError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ""
        raise


def require_mark(storage: Folder, mark: str) -> None:
    """Refuse a storage that is not the one with ``mark``.

    Raises:
        WrongStorage: The storage has another mark, or none.
        HarnessError: The storage does not respond.
    """
    own = read_mark(storage)
    if own != mark:
        raise WrongStorage(
            f"{socket.gethostname()} does not see the checkpoints of the host that runs the experiment: "
            + ("this path holds another storage there" if own else "this path holds no storage there"),
            where=f"--storage {storage}",
            remedy="Use storage that all hosts share: s3://bucket/prefix, or a network disk that is mounted at the "
            "same path on every host. DEPTHBENCH_STORAGE sets it too.",
        )
