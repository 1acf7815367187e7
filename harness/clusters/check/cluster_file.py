"""What is found in a cluster's file: each with its line, what is wrong, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.io.yaml_documents import Document, read_document
from harness.io.yaml_parser import Location

Kind = TypeVar("Kind")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong (``error``) or worth a thought.

    Attributes:
        line: In the file, from 1.
        where: File, line and field.
    """

    line: int
    where: str
    what: str
    remedy: str
    error: bool = True


@dataclass
class ClusterFile:
    """A cluster's file, and what was found in it so far."""

    document: Document
    source: list[str]
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def of(cls, file: Path) -> ClusterFile:
        """Read a file.

        Raises:
            HarnessError: It cannot be read, or is not plain YAML.
        """
        document = read_document(file)
        document.data = _named(document.data)
        return cls(document, file.read_text().splitlines())

    def get(self, kind: type[Kind], *at: str | int) -> Kind:
        """The value at ``at``; an empty one where there is none, or one of another kind: Ray's schema says so."""
        inside: Any = self.document.data
        for part in at:
            known = isinstance(inside, dict) or (isinstance(inside, list) and isinstance(part, int))
            try:
                inside = inside[part] if known else None
            except (KeyError, IndexError):
                inside = None
        return inside if isinstance(inside, kind) else kind()

    def given(self, *at: str | int) -> bool:
        """Whether the file has this field."""
        return at in self.document.lines

    @property
    def provider(self) -> str:
        """Its kind: aws, local, ..."""
        return self.get(str, "provider", "type")

    @property
    def head_type(self) -> str:
        """Name of the head's type of node."""
        return self.get(str, "head_node_type")

    @property
    def has_workers(self) -> bool:
        """Whether there may ever be a node beside the head."""
        if self.provider == "local":
            return bool(self.get(list, "provider", "worker_ips"))
        return not self.given("max_workers") or self.get(int, "max_workers") > 0

    def commands(self, *fields: str) -> list[tuple[Location, str]]:
        """(place, command) of each of the lists of shell commands named."""
        return [
            ((name, number), command)
            for name in fields
            for number, command in enumerate(self.get(list, name))
            if isinstance(command, str)
        ]

    def error(self, at: Location, what: str, remedy: str = "", near: str = "") -> None:
        """Note what will not work, or is not safe; ``near`` is a text of the line meant, in a value of several."""
        self._add(at, what, remedy, near, error=True)

    def warning(self, at: Location, what: str, remedy: str = "", near: str = "") -> None:
        """Note what works, and may not be meant."""
        self._add(at, what, remedy, near, error=False)

    def _add(self, at: Location, what: str, remedy: str, near: str, error: bool) -> None:
        there = max((at[:end] for end in range(len(at) + 1) if at[:end] in self.document.lines), key=len, default=())
        line = self.document.lines.get(there, 1)
        after = min((other for other in self.document.lines.values() if other > line), default=len(self.source) + 1)
        if near:
            line = next((n for n in range(line, after) if near in self.source[n - 1]), line)
        name = ".".join(map(str, at))
        where = f"{self.document.file}:{line}{', ' if name else ''}{name}"
        found = Finding(line, where, what, remedy, error)
        if found not in self.findings:
            self.findings.append(found)


def _named(value: Any) -> Any:
    """``value`` with text as keys, as its lines have them: YAML would take a type called 3 for a number."""
    if isinstance(value, dict):
        return {str(key): _named(inside) for key, inside in value.items()}
    return [_named(inside) for inside in value] if isinstance(value, list) else value
