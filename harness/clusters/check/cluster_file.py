"""A cluster's YAML file with the lines of its fields, and the findings of the checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.clusters.check.findings import Finding
from harness.io.yaml_documents import Document, read_document
from harness.io.yaml_parser import Location

Value = TypeVar("Value")


@dataclass
class ClusterFile:
    """A cluster's file, and what the checks have found in it so far.

    Attributes:
        document: Its content, with the line of each field.
        source: Its lines.
    """

    document: Document
    source: list[str]
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> ClusterFile:
        """Read a file.

        Raises:
            HarnessError: The file cannot be read, or is not plain YAML.
        """
        document = read_document(file, is_yaml_1_1=True)
        document.data = _with_text_keys(document.data)
        return cls(document, file.read_text().splitlines())

    def get_value(self, kind: type[Value], *path: str | int) -> Value:
        """Return the value of a field; an empty value if it is missing or of another type.

        Args:
            kind: Type of the value. Ray's schema reports a value of another type.
            path: Keys and list positions that lead to the field.
        """
        value: Any = self.document.data
        for part in path:
            can_have_part = isinstance(value, dict) or (isinstance(value, list) and isinstance(part, int))
            try:
                value = value[part] if can_have_part else None
            except (KeyError, IndexError):
                value = None
        return value if isinstance(value, kind) else kind()

    def has_field(self, *path: str | int) -> bool:
        """Return whether the file has a field."""
        return path in self.document.lines

    @property
    def provider(self) -> str:
        """Type of the provider, such as ``aws`` or ``local``."""
        return self.get_value(str, "provider", "type")

    @property
    def head_type(self) -> str:
        """Name of the head's type of node."""
        return self.get_value(str, "head_node_type")

    @property
    def has_workers(self) -> bool:
        """Whether the cluster can have nodes besides the head."""
        if self.provider == "local":
            return bool(self.get_value(list, "provider", "worker_ips"))
        return not self.has_field("max_workers") or self.get_value(int, "max_workers") > 0

    def list_commands(self, *fields: str) -> list[tuple[Location, str]]:
        """Return the shell commands of some fields, each with its location in the file."""
        return [
            ((name, number), command)
            for name in fields
            for number, command in enumerate(self.get_value(list, name))
            if isinstance(command, str)
        ]

    def add_error(self, location: Location, what: str, remedy: str = "", near: str = "") -> None:
        """Add a finding about something that does not work, or is not safe.

        Args:
            near: Text of the line that is meant, if the value has several lines.
        """
        self._add_finding(location, what, remedy, near, is_error=True)

    def add_warning(self, location: Location, what: str, remedy: str = "", near: str = "") -> None:
        """Add a finding about something that works, but is probably not intended."""
        self._add_finding(location, what, remedy, near, is_error=False)

    def _add_finding(self, location: Location, what: str, remedy: str, near: str, is_error: bool) -> None:
        lines = self.document.lines
        existing = [location[:end] for end in range(len(location) + 1) if location[:end] in lines]
        line = lines.get(max(existing, key=len, default=()), 1)
        next_line = min((other for other in lines.values() if other > line), default=len(self.source) + 1)
        if near:
            line = next((n for n in range(line, next_line) if near in self.source[n - 1]), line)
        name = ".".join(map(str, location))
        where = f"{self.document.file}:{line}{', ' if name else ''}{name}"
        finding = Finding(line, where, what, remedy, is_error)
        if finding not in self.findings:
            self.findings.append(finding)


def _with_text_keys(value: Any) -> Any:
    """Return a value with all keys as text, because YAML reads a node type named 3 as a number."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value
