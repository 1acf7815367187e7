"""The cache of facts about data sets, which are believed only as long as no file of the data set has changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from harness.data.arrays import DataFacts
from harness.data.folders.entries import unreadable
from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.user_cache import cache_dir
from harness.specs.identity import digest

FORMAT = 2
"""Raised where the content of a cached file or its key changes, so that files of other versions are not read."""
ATTEMPTS = 3
"""How often files are read that change meanwhile."""
CLOCK_STEP = 2 * 10**9
"""Nanoseconds between two times that every file system tells apart."""

Stamp = tuple[str, int, int, int, int]
"""Path, size, time of the last change of the content and of the file's entry (ns), and inode."""


def stamp_files(files: Sequence[Path]) -> list[Stamp]:
    """Return what changes when the content of a file changes, for each file; links are followed.

    Programs can set the time of the content (tar, rsync -t), so the time that the file system itself sets, and the
    inode, are part of it. The device is not: its number changes when a disk is mounted again.

    Raises:
        HarnessError: A file has vanished or cannot be looked at.
    """
    stamps = []
    for path in files:
        try:
            status = path.stat()
        except OSError as error:
            raise unreadable(path, error) from error
        stamps.append((str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
    return stamps


def cached_facts(
    key: Sequence[object],
    files: Sequence[Path],
    list_files: Callable[[], Sequence[Path]],
    read: Callable[[], DataFacts],
) -> DataFacts:
    """Return the facts of a data set from the cache, or read its files and fill the cache.

    A file that changed just now may change again without another time, because the clock of a file system moves in
    steps. The facts of such files are not kept.

    Args:
        key: The data set's name, and what decides its facts besides its files; plain JSON values.
        files: Its files.
        list_files: Returns its files once they are read, to see whether one came or went.
        read: Reads them.

    Raises:
        HarnessError: A file is unreadable, or files change as long as they are read.
    """
    before = stamp_files(files)
    cached = _read_cache(_cache_file(key, before))
    if cached is not None:
        return cached
    for _ in range(ATTEMPTS):
        started = time.time_ns()
        facts = read()
        after = stamp_files(list_files())
        if after == before:
            if not _has_fresh_files(after, started):
                # With a cache that is not writable the next call takes longer. Nothing else depends on it.
                with suppress(HarnessError):
                    _write_cache(_cache_file(key, after), facts)
            return facts
        changed = min(stamp[0] for stamp in set(before) ^ set(after))
        before = after
    raise HarnessError(
        "the data set changes while it is read",
        where=f"{changed}, data.root",
        remedy="Wait until the copy or the program that writes these files has ended, then run the same command again.",
    )


def _has_fresh_files(stamps: Sequence[Stamp], started: int) -> bool:
    """Return whether a file changed just before it was read; the clocks of file servers may be far off, too."""
    now = time.time_ns()
    return any(started - CLOCK_STEP <= changed <= now + CLOCK_STEP for stamp in stamps for changed in stamp[2:4])


def _cache_file(key: Sequence[object], stamps: Sequence[Stamp]) -> Path:
    return cache_dir() / "facts" / f"{digest([FORMAT, key, stamps], 20)}.json"


def _write_cache(path: Path, facts: DataFacts) -> None:
    content = json.dumps(facts).encode()
    write_atomic(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def _read_cache(path: Path) -> DataFacts | None:
    """Return cached facts; None if there are none, or if the file is damaged or of another version."""
    with suppress(OSError, ValueError):
        checksum, _, content = path.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() == checksum:
            facts: DataFacts = json.loads(content)
            # Another version may have other fields.
            return facts if facts.keys() == DataFacts.__annotations__.keys() else None
    return None
