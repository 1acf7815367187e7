"""Identity: the canonical form of a spec, and its hash, which becomes the id of a trial.

The canonical form leaves out fields at their default, so a new field with a default changes no existing id. A default
must therefore never change (``tests/specs`` checks some ids).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

SEMANTICS = 1
"""Version of what training computes. It is raised when a fix changes results: all trials then get new ids."""


class Spec(BaseModel):
    """Base class of all specs: immutable, without unknown fields, equal if their content is equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    schema_command: ClassVar[str] = "harness schema"
    """The command that lists the fields of the file in which a spec is written."""
    example: ClassVar[str] = ""
    """An example of the right form, in one line of YAML; errors about another type show it."""
    labels: ClassVar[frozenset[str]] = frozenset()
    """Fields that are names or paths and change no result; the identity leaves them out."""

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide results as plain JSON values, without labels and fields at their default."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude=set(self.labels))


def canonical(value: Any) -> str:
    """Return ``value`` as canonical JSON: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any, length: int = 12) -> str:
    """Return the first ``length`` hex digits of the sha256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]
