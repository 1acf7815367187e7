"""A finding: one thing that is wrong in a cluster's file, with its line and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing in a cluster's file that is an error or worth a warning.

    Attributes:
        line: Line of the file, from 1.
        where: File, line and field.
        what: What is wrong.
        remedy: What to do about it; may be empty.
        error: Whether it is an error; else a warning.
    """

    line: int
    where: str
    what: str
    remedy: str
    error: bool = True
