"""What travels with a job: the working directory, without data, reports or the store."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

MAX_PACKAGE_BYTES = 100 * 2**20
"""Bytes; Ray's job server takes no more."""
NEVER = ("/.?*", "/venv", "__pycache__/", ".*_cache/", "/data", "/mlruns", "/mlartifacts")
"""What no job needs, as patterns of .gitignore; beside the user's own .gitignore, and .rayignore.

Hidden files of the directory itself above all (the directory itself, ``.``, is none): where it is a home, keys and
passwords are among them.
"""
LISTED = 3


@dataclass(frozen=True)
class JobPackage:
    """A directory and what is left out of it, as Ray takes them.

    Attributes:
        files: Paths of what travels, relative to the directory, and their bytes.
    """

    directory: Path
    excludes: tuple[str, ...]
    files: dict[str, int]


def build_package(directory: Path, left_out: Sequence[Path | None], needed: Path | None) -> JobPackage:
    """What of a directory travels.

    Args:
        left_out: Places of data, reports and store; those outside of the directory do not matter.
        needed: The file of the experiment, where it lies in the directory.

    Raises:
        HarnessError: It is more than Ray takes, or what is needed is ignored.
    """
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    directory = directory.absolute()
    inside = [place.absolute() for place in left_out if place is not None]
    own = [f"/{p.relative_to(directory).as_posix()}" for p in inside if p != directory and p.is_relative_to(directory)]
    excludes = tuple(dict.fromkeys([*NEVER, *own]))
    files: dict[str, int] = {}

    def take(path: Path) -> None:
        if not path.is_dir():
            files[path.relative_to(directory).as_posix()] = path.lstat().st_size

    try:
        _dir_travel(directory, [_get_excludes(directory, list(excludes))], take, True, logging.getLogger(__name__))
    except OSError as error:
        raise HarnessError(
            f"cannot be read: {error.strerror}", where=str(error.filename), remedy="List it in .rayignore."
        ) from error
    total = sum(files.values())
    if total > MAX_PACKAGE_BYTES:
        largest = Counter[str]()
        for name, size in files.items():
            largest[name.partition("/")[0]] += size
        listed = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in largest.most_common(LISTED))
        raise HarnessError(
            f"the working directory has {total / 2**20:.0f} MiB to ship, and Ray takes {MAX_PACKAGE_BYTES >> 20} ({listed})",
            where=str(directory),
            remedy="List in .rayignore what the trials do not need; data belongs where --data-root finds it there.",
        )
    if needed is not None and needed.absolute().relative_to(directory).as_posix() not in files:
        raise HarnessError(
            "it would not be shipped: .gitignore, .rayignore or --data-root leaves it out",
            where=str(needed),
            remedy="Move it to experiments/, or take it out of the ignored files.",
        )
    return JobPackage(directory, excludes, files)
