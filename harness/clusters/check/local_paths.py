"""Files of this machine that a cluster file names."""

import os
from pathlib import Path


def local_path(text: str) -> Path:
    """Return the path that a cluster file means, with ``~`` expanded. An unknown ``~user`` stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises for a user that does not exist)


def is_local_file(text: str) -> bool:
    """Return whether a path names a file of this machine; a path that no file can have names none."""
    return os.path.isfile(local_path(text))  # noqa: PTH113 (it never raises, unlike Path.is_file)


def exists_locally(text: str) -> bool:
    """Return whether a path names a file or directory of this machine."""
    return os.path.exists(local_path(text))  # noqa: PTH110 (it never raises, unlike Path.exists)
