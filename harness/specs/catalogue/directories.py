"""The directories in which YAML files of variants and experiments are looked up."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).resolve().parents[2]


def find_directories(kind: Literal["variants", "experiments"], working_directory: bool = True) -> list[Path]:
    """Return the existing directories of one kind of file, in order of precedence.

    They are in the working directory, in the checkout and in the installed package.

    Args:
        working_directory: Whether to include that of the working directory.
    """
    directories = []
    # The working directory may have been removed.
    with suppress(OSError):
        directories += [Path.cwd() / kind] if working_directory else []
    if (PACKAGE.parent / "pyproject.toml").exists():
        directories.append(PACKAGE.parent / kind)
    directories.append(PACKAGE / "shipped" / kind)
    return [directory for directory in dict.fromkeys(directories) if directory.is_dir()]
