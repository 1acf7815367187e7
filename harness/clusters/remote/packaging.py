"""The package of a job: the files of the working directory that are sent with it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

MAX_PACKAGE_BYTES = 100 * 2**20
"""Limit of Ray's job server."""
EXCLUDED_PATTERNS = ("/.?*", "/venv", "__pycache__/", ".*_cache/", "/data", "/mlruns", "/mlartifacts")
"""Patterns, as in .gitignore, of files that are never sent; .gitignore and .rayignore of the user exclude more.

Hidden files of the directory are excluded because keys and passwords may be among them. The first pattern has a second
character, so that it does not match ``.``, the directory itself.
"""
MAX_LISTED_DIRECTORIES = 3


@dataclass(frozen=True)
class JobPackage:
    """The files that are sent with a job.

    Attributes:
        directory: The working directory.
        excludes: Patterns of its files that are not sent.
        files: Size in bytes of every file that is sent, by its path relative to the directory.
    """

    directory: Path
    excludes: tuple[str, ...]
    files: dict[str, int]


def build_package(directory: Path, excluded: Sequence[Path | None], experiment_file: Path | None) -> JobPackage:
    """Return the package of a working directory.

    Args:
        excluded: Directories of data, reports and store, which are not sent.
        experiment_file: The file of the experiment, if it lies in the directory.

    Raises:
        HarnessError: The package is larger than Ray accepts, or the experiment's file is excluded.
    """
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    directory = directory.absolute()
    paths = [path.absolute() for path in excluded if path is not None]
    own = [f"/{p.relative_to(directory).as_posix()}" for p in paths if p != directory and p.is_relative_to(directory)]
    excludes = tuple(dict.fromkeys([*EXCLUDED_PATTERNS, *own]))
    files: dict[str, int] = {}

    def add_file(path: Path) -> None:
        if not path.is_dir():
            files[path.relative_to(directory).as_posix()] = path.lstat().st_size

    try:
        _dir_travel(directory, [_get_excludes(directory, list(excludes))], add_file, True, logging.getLogger(__name__))
    except OSError as error:
        raise HarnessError(
            f"the file cannot be read, so it cannot be sent: {error.strerror}",
            where=str(error.filename),
            remedy="List it in .rayignore.",
        ) from error
    _require_size(directory, files)
    if experiment_file is not None and experiment_file.absolute().relative_to(directory).as_posix() not in files:
        raise HarnessError(
            "the file would not be sent: .gitignore, .rayignore or --data-root excludes it",
            where=str(experiment_file),
            remedy="Move it to experiments/, or remove it from the excluded files.",
        )
    return JobPackage(directory, excludes, files)


def _require_size(directory: Path, files: Mapping[str, int]) -> None:
    """Check that Ray's job server accepts the size of a package.

    Raises:
        HarnessError: The files are too large. The error names the largest directories.
    """
    total = sum(files.values())
    if total <= MAX_PACKAGE_BYTES:
        return
    sizes = Counter[str]()
    for name, size in files.items():
        sizes[name.partition("/")[0]] += size
    largest = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in sizes.most_common(MAX_LISTED_DIRECTORIES))
    raise HarnessError(
        f"the working directory has {total / 2**20:.0f} MiB to send, and Ray accepts {MAX_PACKAGE_BYTES >> 20} "
        f"({largest})",
        where=str(directory),
        remedy="List in .rayignore what the trials do not need. Put data where --data-root finds it on the cluster.",
    )
