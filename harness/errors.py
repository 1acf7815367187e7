"""The error for everything that a user can correct, and the exit codes of the command line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

EXIT_FAILED = 1
"""A trial failed, or a regression was found."""
EXIT_USER = 2
"""The user can correct the cause, or another process holds the lock."""
EXIT_LIMIT = 3
"""A time limit or a budget ended the command."""

MIN_SIMILARITY = 0.5
"""Similarity (0 to 1) from which on a name is suggested in place of another."""
MOST_LISTED = 50
"""Most names that a remedy lists; of more, it lists the :data:`MOST_SUGGESTED` nearest ones."""
MOST_SUGGESTED = 5
CONTROL_CHARACTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that control a terminal or the direction of writing, and code points that are not characters."""


def escape_control_characters(text: str) -> str:
    """Return ``text`` with control characters as escapes: text from a file must not control the terminal."""
    return CONTROL_CHARACTERS.sub(lambda match: ascii(match[0])[1:-1], text)


class HarnessError(Exception):
    """An error that the user can correct. The command line prints it without a traceback.

    Control characters in all three texts are written as escapes.

    Args:
        what: One sentence that says what is wrong.
        where: File (with line if known) and field, e.g. ``experiments/a.yaml:7, recipe.lr``.
        remedy: What the user can do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        what, where, remedy = map(escape_control_characters, (what, where, remedy))
        super().__init__(what, where, remedy)
        self.what, self.where, self.remedy = what, where, remedy

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        stop = "" if self.what.endswith((".", "?", "!")) or not self.remedy else "."
        return f"{where}{self.what}{stop}{' ' * bool(self.remedy)}{self.remedy}"


class StoreUnavailable(HarnessError):
    """The tracking store did not respond; a later attempt may succeed."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM. It is not a KeyboardInterrupt, which libraries between the user and this code catch.

    Attributes:
        message: What the command line prints about the work that is kept.
        exit_code: 128 plus the number of the signal.
    """

    message = "Stopped. Recorded results and checkpoints are kept; run the same command again to continue."

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number


def suggest_nearest(word: str, names: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for the name closest to ``word``; if none is close, a list of names.

    The list has all names, or the nearest ones where there are more than :data:`MOST_LISTED`.
    """
    names = sorted(names)
    match = difflib.get_close_matches(word, names, n=1, cutoff=MIN_SIMILARITY)
    if match:
        return f"Did you mean '{match[0]}'?"
    if len(names) > MOST_LISTED:
        nearest = difflib.get_close_matches(word, names, n=MOST_SUGGESTED, cutoff=0)
        return f"The nearest of {len(names):,} names are {', '.join(nearest)}."
    return f"Use one of: {', '.join(names)}." if names else ""
