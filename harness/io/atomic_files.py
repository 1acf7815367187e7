"""Local files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from harness.errors import HarnessError


def write_atomic(path: Path, content: bytes) -> None:
    """Write ``content`` to a file that appears whole or not at all.

    Raises:
        HarnessError: The directory or the file cannot be written.
    """
    with atomic_file(path) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file next to ``path``; flush it to disk and rename it to ``path`` at the end of the block.

    A reader sees the old content or the new content, never a part of it. If the block raises, nothing is left.

    Raises:
        HarnessError: The directory or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HarnessError(
            f"this file cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Choose a directory that you may write to, on a disk with free space.",
        ) from error


def make_directory(directory: Path) -> None:
    """Create a directory, and those above it, where they are missing.

    Raises:
        HarnessError: It cannot be created.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(
            f"this directory cannot be created: {error.strerror or error}",
            where=str(directory),
            remedy="Choose another directory, or change its permissions.",
        ) from error


def require_writable(directory: Path, option: str = "") -> None:
    """Refuse a directory that could not be written to later; create nothing.

    Args:
        option: The option that gives the directory, for the error.

    Raises:
        HarnessError: ``directory``, or its nearest parent that exists, is not a writable directory.
    """
    existing = directory.absolute()
    # os.path.exists never raises, for example below a directory that this user may not open.
    while not os.path.exists(existing):  # noqa: PTH110
        existing = existing.parent
    try:
        # Permission bits do not show a read-only disk and do not bind root, so write a file without a name.
        with tempfile.TemporaryFile(dir=existing):
            return
    except OSError as error:
        reason = "is not a directory" if not existing.is_dir() else f"cannot be written to ({error.strerror})"
    raise HarnessError(
        f"{existing} {reason}",
        where=f"{option} {directory}".strip(),
        remedy="Choose another directory, or change its permissions.",
    )
