"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import platformdirs

from harness.errors import HarnessError

CHECKSUMS = "sha256.json"


def cache_dir() -> Path:
    """The user's cache directory: data sets, fingerprints, costs of foreign networks."""
    return Path(os.environ.get("DEPTHBENCH_CACHE", platformdirs.user_cache_dir("depthbench")))


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path``, flush it to disk, then rename: readers see old or new, never half.

    Raises:
        HarnessError: The directory or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
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


def pack(members: dict[str, bytes]) -> bytes:
    """An uncompressed zip archive of ``members`` with a checksum for each."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {**members, CHECKSUMS: json.dumps(sums).encode()}.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def unpack(file: BinaryIO, member: str, where: str) -> bytes:
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
