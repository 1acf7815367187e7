"""A frozen spec is the identity of everything: its canonical form and its hash.

Fields at their default are left out of the canonical form, so that a new field with a default
changes no old id. A default itself must therefore never change (``tests/specs`` pins some ids).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

SEMANTICS = 1
"""Raised when a fix changes the results of training; old trials are then trained again."""


class Spec(BaseModel):
    """Base of all specs: frozen, unknown fields refused, comparable by content."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    labels: ClassVar[frozenset[str]] = frozenset()
    """Fields that name or place a thing without changing any result; they are not part of the identity."""

    def identity(self) -> dict[str, Any]:
        """The fields that decide results, as plain JSON values, defaults and labels left out."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude=set(self.labels))


def canonical(value: Any) -> str:
    """``value`` as JSON in its one canonical spelling: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any, length: int = 12) -> str:
    """The first ``length`` hex digits of sha256 over the canonical JSON of ``value``."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]
