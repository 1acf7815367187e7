"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import platformdirs

from harness.errors import HarnessError

CHECKSUMS = "sha256.json"
LARGE_MEMBER = 2**31 - 1
"""Bytes from which on a member of an archive needs the longer fields of zip."""


def cache_dir() -> Path:
    """The user's cache directory: data sets, fingerprints, costs of foreign networks."""
    return Path(os.environ.get("DEPTHBENCH_CACHE", platformdirs.user_cache_dir("depthbench")))


def write_atomic(path: Path, content: bytes) -> None:
    """Write ``content`` to a file that appears whole or not at all.

    Raises:
        HarnessError: The directory or the file cannot be written.
    """
    with atomic_file(path) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to beside ``path``, flushed to disk and renamed at the end: readers see old or new, never half.

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
            f"cannot write: {error.strerror or error}",
            where=str(path),
            remedy="Choose a directory that you may write to, with space left on its disk.",
        ) from error


def require_writable(directory: Path) -> None:
    """Refuse early a directory that could not be written to later; creates nothing.

    Raises:
        HarnessError: ``directory``, or the nearest parent that exists, is no directory one may write to.
    """
    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    try:
        # Permission bits do not tell of read-only disks, nor do they bind root: try it, with a file of no name.
        with tempfile.TemporaryFile(dir=existing):
            return
    except OSError as error:
        reason = "is not a directory" if not existing.is_dir() else f"cannot be written to ({error.strerror})"
    raise HarnessError(
        f"{existing} {reason}",
        where=str(directory),
        remedy="Choose another directory, or change its permissions.",
    )


def pack_archive(members: Mapping[str, bytes]) -> bytes:
    """An uncompressed zip archive of ``members`` with a checksum for each."""
    buffer = BytesIO()
    write_archive(buffer, members)
    return buffer.getvalue()


def write_archive(target: BinaryIO, members: Mapping[str, bytes]) -> None:
    """The same into an open file, without a copy in memory."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {**members, CHECKSUMS: json.dumps(sums).encode()}.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=len(content) > LARGE_MEMBER) as member:
                member.write(content)


def read_member(file: BinaryIO, member: str, where: str) -> bytes:
    """One member of an archive that :func:`pack` made, its checksum verified.

    Raises:
        HarnessError: The archive is truncated or altered.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise zipfile.BadZipFile("it is compressed, which ours are not: it may be larger than memory")
            found = archive.read(member)
            expected = json.loads(archive.read(CHECKSUMS))[member]
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise HarnessError(f"not a readable archive ({error})", where=where) from error
    if hashlib.sha256(found).hexdigest() != expected:
        raise HarnessError(f"the checksum of {member} does not match", where=where)
    return found
