"""YAML files as mappings, with the line of each field and the ``--set`` assignments that change them."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent
from typing import Any

from harness.errors import HarnessError, escape_control_characters
from harness.io.yaml_parser import MOST_LETTERS, MOST_LEVELS, Location, parse_yaml

MOST_BYTES = 1_000_000
"""Limit on the size of a file: PyYAML takes some seconds for one of this size."""
MOST_INDEX_DIGITS = 9
"""Limit on the digits of a list index in an assignment: int() refuses text of thousands of digits."""


@dataclass
class Document:
    """A YAML mapping with the line of each of its fields.

    Attributes:
        overridden: Fields that ``--set`` has changed.
        plain: Text of each value that is written without quotes, in the file or in ``--set``.
    """

    path: Path
    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)
    overridden: set[str] = field(default_factory=set)
    plain: dict[Location, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The path as errors print it."""
        return escape_control_characters(str(self.path))

    def where(self, location: Location) -> str:
        """Return the place of a field for an error: ``file:line, field``, or ``--set field`` if it was overridden.

        The line is that of the field itself, or of the nearest field around it that the file contains.
        """
        name = ".".join(str(part) for part in location)
        for end in range(len(location), 0, -1):
            if ".".join(str(part) for part in location[:end]) in self.overridden:
                return f"--set {name}"
        # Where fields contradict each other, the error is about the field that the user has overridden.
        inner = [key for key in self.overridden if name and key.startswith(f"{name}.")]
        if inner:
            return f"--set {inner[0]}"
        for end in range(len(location), -1, -1):
            if location[:end] in self.lines:
                return f"{self.path}:{self.lines[location[:end]]}" + (f", {name}" if name else "")
        return f"{self.path}" + (f", {name}" if name else "")

    def override(self, assignment: str) -> None:
        """Apply one ``--set`` assignment, ``key.sub=value``, in which the value is YAML. A later one replaces it.

        Raises:
            HarnessError: The text is not an assignment, or its key leads through a value that has no fields.
        """
        key, equals, text = assignment.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise HarnessError(
                f"'{assignment[:60]}' is not an assignment",
                where="--set",
                remedy="Write FIELD=VALUE, as in name=value.",
            )
        if len(parts) > MOST_LEVELS or max(map(len, parts)) > MOST_LETTERS:
            raise HarnessError(
                f"there is no field '{key[:60]}...'", where="--set", remedy="`harness schema` lists the fields."
            )
        name = ".".join(parts)
        # Each line gets a space, as below a field of a file: at the begin of a line `---` and `%` have other meanings.
        parsed = parse_yaml(indent(text, " ") + "\n", lambda line, at: f"--set {'.'.join(map(str, at))}", tuple(parts))
        location = self._assign(parts, parsed.value, key)
        kept = {at: plain for at, plain in self.plain.items() if at[: len(parts)] != location}
        self.plain = kept | {location + at[len(parts) :]: plain for at, plain in parsed.plain.items()}
        self.overridden.add(name)

    def _assign(self, parts: list[str], value: Any, key: str) -> Location:
        """Put a value at the field that ``parts`` name; return its location."""
        parent: Any = self.data
        location: list[str | int] = []
        for part in parts[:-1]:
            if isinstance(parent, list) and not _is_index(parent, part):
                raise _not_an_index(parent, key)
            index = int(part) if isinstance(parent, list) else part
            if isinstance(parent, dict) and parent.get(part) is None:
                parent[part] = {}
            parent = parent[index]
            location.append(index)
            if not isinstance(parent, dict | list):
                raise HarnessError(
                    f"the value of '{part}' has no fields",
                    where=f"--set {key}",
                    remedy="`harness schema` lists the fields.",
                )
        if isinstance(parent, list) and not _is_index(parent, parts[-1]):
            raise _not_an_index(parent, key)
        index = int(parts[-1]) if isinstance(parent, list) else parts[-1]
        parent[index] = value
        return (*location, index)


def _not_an_index(values: list[Any], key: str) -> HarnessError:
    return HarnessError(
        f"this is a list of {len(values)} entries, and the key does not say which one",
        where=f"--set {key}",
        remedy=f"Give the number of an entry, from 0 to {len(values) - 1}, as in variants.0.set.widths=[8,16,32].",
    )


def _is_index(value: Any, part: str) -> bool:
    # isdecimal, because isdigit also accepts '²', which int() refuses.
    return isinstance(value, list) and part.isdecimal() and len(part) <= MOST_INDEX_DIGITS and int(part) < len(value)


def read_document(path: Path, is_yaml_1_1: bool = False) -> Document:
    """Read a YAML file that holds one mapping; create no objects from its tags.

    Args:
        is_yaml_1_1: Whether another program reads the file as YAML 1.1, as Ray does with a cluster's file.

    Raises:
        HarnessError: The file does not exist, is not plain YAML, gives a key twice, or holds no mapping.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # Opening a pipe or a terminal would wait for input.
            raise HarnessError("this is not a file", where=str(path), remedy="Give a YAML file.")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode()
    except (OSError, ValueError) as error:
        # Bytes that are not text raise a ValueError, and so does a path that contains NUL.
        decoding = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        reason = error.strerror if isinstance(error, OSError) else decoding
        raise HarnessError(
            f"this file cannot be read: {reason}", where=str(path), remedy="Give a YAML file that exists."
        ) from error
    if len(content) > MOST_BYTES:
        raise HarnessError(
            f"this file is larger than {MOST_BYTES:,} bytes, the limit for YAML files",
            where=str(path),
            remedy="Check that it is the right file.",
        )
    parsed = parse_yaml(text, lambda line, at: _describe_place(path, line, at), is_yaml_1_1=is_yaml_1_1)
    data = parsed.value
    if not isinstance(data, dict):
        content_kind = "is empty" if data is None else f"holds a {type(data).__name__}, not a mapping"
        raise HarnessError(
            f"this file {content_kind}",
            where=f"{path}:1",
            remedy="Write fields such as `name:` and `question:`; experiments/quickstart.yaml is an example.",
        )
    return Document(path, data, parsed.lines, plain=parsed.plain)


def _describe_place(path: Path, line: int | None, at: Location) -> str:
    """Return ``file:line, field``, without the parts that are not known."""
    place = f"{path}:{line}" if line else str(path)
    return f"{place}, {'.'.join(map(str, at))}" if at else place
