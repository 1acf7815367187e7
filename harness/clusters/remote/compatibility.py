"""The check that this machine and the head of a cluster have the same versions, before a job is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.clusters.remote.probe import describe_machine
from harness.errors import HarnessError

MIN_FREE_BYTES = 256 * 2**20
"""Free disk that a job needs on the head for its files, its log and the store."""
PACKAGES = {"python": "Python", "ray": "Ray", "depthbench": "Depthbench"}


def require_compatible(head: Mapping[str, Any], file: Path, ships_source: bool) -> None:
    """Check versions and free disk of the head.

    Args:
        head: What :func:`harness.clusters.remote.probe.describe_machine` returned on the head.
        file: The file of the cluster.
        ships_source: Whether the job brings its own Depthbench, so that the head's version does not matter.

    Raises:
        HarnessError: A version differs, or a disk is almost full.
    """
    machine = describe_machine()
    for key, name in PACKAGES.items():
        if key == "depthbench" and ships_source:
            continue
        here, there = str(machine[key]), str(head.get(key, ""))
        if key == "python":
            # Ray needs the same minor version only.
            here, there = (".".join(text.split(".")[:2]) for text in (here, there))
        if here != there:
            raise HarnessError(
                f"{name} is {here} here and {there or 'not installed'} on the head",
                where=f"{file}, versions",
                remedy="Install the same version on both sides. For the cluster, change setup_commands in the file and "
                "run `ray up`. Nothing was sent.",
            )
    for directory, free in head.get("free", {}).items():
        if free < MIN_FREE_BYTES:
            raise HarnessError(
                f"the disk of the head is full: {free >> 20} MiB are free at {directory}, "
                f"{MIN_FREE_BYTES >> 20} are needed",
                where=str(file),
                remedy="Delete files there; old sessions are in /tmp/ray. If you enlarge the disk in the file, "
                "`ray up` replaces the head, so run `harness pull` before. Nothing was sent.",
            )
