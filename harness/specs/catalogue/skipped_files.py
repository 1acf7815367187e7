"""The families of one directory, and the files in it that are no families."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.io.yaml_documents import read_document
from harness.specs.catalogue.families import ExternalFamily, Family, load_family


@dataclass(frozen=True)
class SkippedFile:
    """A file in ``variants/`` that is no valid family: one with a mistake, or a file of another program.

    Attributes:
        family: Name of the family that it may be meant to be: its field ``family``, or the file's name.
        prefixes: First parts of the names that its members may have.
        members: Names of its members, as far as they can be read.
        error: Why it is not valid.
    """

    family: str
    prefixes: tuple[str, ...]
    members: frozenset[str]
    error: HarnessError

    def error_for(self, name: str, where: str) -> HarnessError:
        """Return the error for a user who asks for a variant or a family that this file may define."""
        return HarnessError(f"'{name}' may be defined in a file that is no valid family: {self.error}", where=where)


def load_families(directory: Path) -> Iterator[Family | ExternalFamily | SkippedFile]:
    """Yield what each YAML file of a directory holds. A file that is no valid family gives a warning.

    Hidden files, such as those that editors and file managers leave, are passed over without a word.
    """
    for path in sorted(directory.glob("*.yaml")):
        if path.name.startswith("."):
            continue
        try:
            yield load_family(path)
        except HarnessError as error:
            # Of several problems, which stand on lines of their own, the first one is shown.
            lines = str(error).removeprefix(f"{error.where}: ").splitlines()
            reason = "; ".join(line.strip() for line in lines[:2])
            warnings.warn(f"{path} is skipped, because it is no valid family of variants: {reason}", stacklevel=2)
            yield _describe_skipped(path, error)


def _describe_skipped(path: Path, error: HarnessError) -> SkippedFile:
    try:
        data: dict[str, Any] = read_document(path).data
    except HarnessError:
        data = {}
    twin, members = data.get("twin"), data.get("members")
    family = str(data.get("family") or path.stem)
    prefixes = [family, data.get("prefix"), twin.get("prefix") if isinstance(twin, dict) else None]
    return SkippedFile(
        family=family,
        prefixes=tuple(prefix for prefix in prefixes if isinstance(prefix, str) and prefix),
        members=frozenset(members) if isinstance(members, dict) else frozenset(),
        error=error,
    )
