"""The one error for what a user can mend, and the exit codes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

EXIT_FAILED = 1
"""A trial failed, or a regression was found."""
EXIT_USER = 2
"""Something the user can mend, or somebody else holds the lock."""
EXIT_LIMIT = 3
"""A time limit or budget ended it."""


CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor or colours it, turns the direction of writing, or is no character at all."""


def escape_control_characters(text: str) -> str:
    """``text`` with control characters spelt out: a name may come from a stranger's file, and steers no terminal."""
    return CONTROL_CHARACTERS.sub(lambda found: ascii(found[0])[1:-1], text)


class HarnessError(Exception):
    """What went wrong, where, and what mends it. The command line prints it without a traceback.

    Control characters in any of the three are spelt out.

    Args:
        what: One sentence on what is wrong.
        where: File (with line where known) and field, e.g. ``experiments/a.yaml:7, recipe.lr``.
        remedy: What the user can do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        what, where, remedy = escape_control_characters(what), escape_control_characters(where), escape_control_characters(remedy)
        super().__init__(what, where, remedy)
        self.what, self.where, self.remedy = what, where, remedy

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        stop = "" if self.what.endswith((".", "?", "!")) or not self.remedy else "."
        return f"{where}{self.what}{stop}{' ' * bool(self.remedy)}{self.remedy}"


class StoreUnavailable(HarnessError):
    """The store did not answer something that it may answer later."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM. Not a KeyboardInterrupt, which libraries between us and the user answer themselves.

    Attributes:
        kept: What the user is told of what was done so far.
    """

    kept = "Stopped. What is recorded or in a checkpoint is kept; the same command goes on from there."

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def suggest_nearest(word: str, known: Iterable[str]) -> str:
    """``Did you mean 'x'?`` for the known word closest to ``word``, else the known words."""
    known = sorted(known)
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if match:
        return f"Did you mean '{match[0]}'?"
    return f"Known: {', '.join(known)}." if known else ""
