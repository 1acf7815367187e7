"""Text that others wrote: what a file may bring, and how it is shown in Markdown and on a terminal."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

FORMULA = "=+-@"
"""First characters by which a spreadsheet takes a cell of results.csv for a formula."""


def _prose(text: str) -> str:
    # Cc: control characters and escape codes. Cs: halves of surrogate pairs, which no file can hold.
    found = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\r"), None)
    if found is not None:
        raise ValueError(f"it holds the character U+{ord(found):04X}, which can not be shown: remove it")
    return text


def _path(text: str) -> str:
    if any(c in text for c in "\t\n\r"):
        raise ValueError("it holds a line break or a tab: remove it")
    return _prose(text)


def _line(text: str) -> str:
    found = next((c for c in text if not c.isprintable()), None)
    if found is not None:
        raise ValueError(f"it holds the character U+{ord(found):04X}: write one line of text that can be shown")
    if text != text.strip():
        raise ValueError("it begins or ends with a space: remove it")
    return text


def _label(text: str) -> str:
    if text.startswith(tuple(FORMULA)):
        raise ValueError(f"it begins with {text[0]}, which makes a formula of it in a spreadsheet: remove it")
    return _line(text)


def _word(text: str) -> str:
    if not text:
        return text
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) or len(text) > 64:
        raise ValueError(f"{text[:60]!r} is no name: at most 64 letters, digits, dots, dashes and underscores")
    return text


Prose = Annotated[str, AfterValidator(_prose)]
"""Any number of lines, without control characters."""
PathText = Annotated[str, AfterValidator(_path)]
"""A path: whatever a directory may be called, but for control characters."""
Line = Annotated[str, Field(max_length=300), AfterValidator(_line)]
"""One line of printable text."""
Label = Annotated[str, Field(max_length=100), AfterValidator(_label)]
"""One line that also stands in cells of a table."""
Identifier = Annotated[str, Field(min_length=1), AfterValidator(_word)]
"""A name that is typed on a command line and may become part of another name."""
OptionalIdentifier = Annotated[str, AfterValidator(_word)]
"""The same, or a name that is typed on a command line and may become part of another name."""


def one_line(text: object) -> str:
    """Text on a single line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def escape_markdown(text: object) -> str:
    """Text as Markdown that shows it literally, in a paragraph as well as in a cell of a table.

    Entities for what HTML gives a meaning, backslashes for what Markdown does; marks that open a block only do so
    at the start of a line. ``@`` is kept from calling anybody, and underscores inside words stay readable.
    """
    flat = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = re.sub(r"([\\`*\[\]|#~$!])", r"\\\1", flat)
    flat = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", flat)
    flat = re.sub(r"^(\d{1,9})([.)])(?=\s|$)", r"\1\\\2", flat)
    flat = re.sub(r"^([-+=])", r"\\\1", flat)
    return re.sub(r"@(?=\w)", "&#64;", flat)


def code_span(text: object) -> str:
    """Text as a code span of Markdown; inside, a backtick would end it and nothing can be escaped."""
    flat = one_line(text).replace("`", "'").replace("|", r"\|")
    return f"`{flat}`" if flat else ""


def escape_rich(text: object) -> str:
    """Text for a console of rich: no markup of its own, and no codes that a terminal would obey. Lines stay."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in str(text)))
