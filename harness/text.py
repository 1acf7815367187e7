"""Text from other people's files: which text a spec accepts, and how it is escaped for Markdown and a terminal."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from harness.errors import CONTROL_CHARACTERS

WORD = re.compile(r"[^\s`]*`[^`]*`\S*|\S+")
"""What no line break may tear apart: a word, or a command between backticks, which can then be copied."""
FORMULA = "=+-@"
"""First characters that make a spreadsheet read a cell of results.csv as a formula."""


def _require_no_control_characters(text: str) -> str:
    # The same characters that a YAML file may not contain.
    match = CONTROL_CHARACTERS.search(text)
    if match is not None:
        raise ValueError(f"the text contains the character U+{ord(match[0]):04X}, which cannot be printed: remove it")
    return text


def _require_path(text: str) -> str:
    if any(c in text for c in "\t\n\r"):
        raise ValueError("the path contains a line break or a tab: remove it")
    return _require_no_control_characters(text)


def _require_line(text: str) -> str:
    character = next((c for c in text if not c.isprintable()), None)
    if character is not None:
        raise ValueError(
            f"the text contains the character U+{ord(character):04X}: write one line of printable characters"
        )
    if text != text.strip():
        raise ValueError("the text begins or ends with a space: remove it")
    return text


def _require_label(text: str) -> str:
    if text.startswith(tuple(FORMULA)):
        raise ValueError(f"the text begins with {text[0]}, which a spreadsheet reads as a formula: remove it")
    return _require_line(text)


def _require_identifier(text: str) -> str:
    if not text:
        return text
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) or len(text) > 64:
        raise ValueError(
            f"{text[:60]!r} is not a valid name: use at most 64 letters, digits, dots, dashes and underscores, and "
            "begin with a letter or digit"
        )
    return text


Prose = Annotated[str, AfterValidator(_require_no_control_characters)]
"""Text of any number of lines, without control characters."""
PathText = Annotated[str, AfterValidator(_require_path)]
"""A path: any text without control characters, tabs and line breaks."""
Line = Annotated[str, Field(max_length=300), AfterValidator(_require_line)]
"""One line of printable text."""
Label = Annotated[str, Field(max_length=100), AfterValidator(_require_label)]
"""One line of printable text that is also written into cells of a table."""
Identifier = Annotated[str, Field(min_length=1), AfterValidator(_require_identifier)]
"""A name that is typed on a command line and may become part of another name."""
OptionalIdentifier = Annotated[str, AfterValidator(_require_identifier)]
"""An identifier, or empty text."""


def one_line(text: object) -> str:
    """Return text on a single line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def escape_markdown(text: object) -> str:
    """Return text as Markdown that shows it literally, in a paragraph and in a cell of a table.

    Characters with a meaning in HTML become entities, and those with a meaning in Markdown get a backslash. Marks of
    a block are escaped at the start only, underscores inside words stay, and ``@`` notifies no user.
    """
    flat = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = re.sub(r"([\\`*\[\]|#~$!])", r"\\\1", flat)
    flat = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", flat)
    flat = re.sub(r"^(\d{1,9})([.)])(?=\s|$)", r"\1\\\2", flat)
    flat = re.sub(r"^([-+=])", r"\\\1", flat)
    return re.sub(r"@(?=\w)", "&#64;", flat)


def code_span(text: object) -> str:
    """Return text as a Markdown code span; a backtick becomes an apostrophe, because it would end the span."""
    flat = one_line(text).replace("`", "'").replace("|", r"\|")
    return f"`{flat}`" if flat else ""


def escape_rich(text: object) -> str:
    """Return text for a rich console, without markup and without terminal control codes; line breaks stay."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in str(text)))
