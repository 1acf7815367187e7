"""Zip archives with a checksum for each member: the format of checkpoints and packed data."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import BinaryIO

from harness.errors import HarnessError

CHECKSUMS = "sha256.json"
"""Name of the member that holds the checksums of all others."""
LARGE_MEMBER = 2**31 - 1
"""Size in bytes above which a member needs the longer fields of zip64."""


def pack_archive(members: Mapping[str, bytes]) -> bytes:
    """Return an uncompressed zip archive of ``members`` with a checksum for each."""
    buffer = BytesIO()
    write_archive(buffer, members)
    return buffer.getvalue()


def write_archive(target: BinaryIO, members: Mapping[str, bytes]) -> None:
    """Write an uncompressed zip archive of ``members``, with a checksum for each, into an open file."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {**members, CHECKSUMS: json.dumps(sums).encode()}.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=len(content) > LARGE_MEMBER) as member:
                member.write(content)


def read_member(file: BinaryIO, member: str, where: str) -> bytes:
    """Return one member of an archive that :func:`write_archive` wrote, after its checksum was verified.

    Args:
        where: Path or URL of the archive, for the error.

    Raises:
        HarnessError: The archive is truncated or altered.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            # A compressed member could be larger than the memory once it is unpacked.
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise zipfile.BadZipFile("it is compressed, and Depthbench writes no compressed archives")
            content = archive.read(member)
            expected = json.loads(archive.read(CHECKSUMS))[member]
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise HarnessError(f"this is not a readable archive ({error})", where=where) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise HarnessError(f"the checksum of {member} does not match its content: the file is damaged", where=where)
    return content
