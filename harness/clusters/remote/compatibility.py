"""Whether laptop and head fit together, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.clusters.remote.probe import describe_machine
from harness.errors import HarnessError

ROOM = 256 * 2**20
"""Bytes that a job needs at the least on the head: its files, its log, and the store."""
NAMES = {"python": "Python", "ray": "Ray", "depthbench": "Depthbench"}


def require_compatible(theirs: Mapping[str, Any], file: Path, shipped: bool) -> None:
    """Refuse a head with other versions, or with a full disk.

    Args:
        theirs: What :func:`harness.clusters.remote.probe.describe_machine` said on the head.
        shipped: Whether the working directory brings its own Depthbench, so that the head's does not matter.

    Raises:
        HarnessError: It is so.
    """
    ours = describe_machine()
    for key, name in NAMES.items():
        if key == "depthbench" and shipped:
            continue
        here, there = str(ours[key]), str(theirs.get(key, ""))
        if key == "python":
            # Ray itself asks for the same minor version; the third number changes nothing here.
            here, there = (".".join(text.split(".")[:2]) for text in (here, there))
        if here != there:
            raise HarnessError(
                f"{name} is {here} here and {there or 'not installed'} on the head",
                where=f"{file}, versions",
                remedy="Install the same on both sides; setup_commands of the file do it on the cluster (`ray up`). "
                "Nothing was sent.",
            )
    for place, free in theirs.get("free", {}).items():
        if free < ROOM:
            raise HarnessError(
                f"the disk of the head is full: {free >> 20} MiB are free at {place}, {ROOM >> 20} are needed",
                where=str(file),
                remedy="Make room there (old sessions lie in /tmp/ray). A larger disk in the file is another head to "
                "`ray up`, and this one is terminated: `harness pull` before. Nothing was sent.",
            )
