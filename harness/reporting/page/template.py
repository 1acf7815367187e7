"""Jinja templates to Markdown pages: the one function that renders, and the filters that templates use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.reporting.formatting import format_p, format_table_row, join_words
from harness.reporting.marks import list_mark_notes
from harness.text import code_span, escape_markdown

TEMPLATES = Path(__file__).parent / "templates"


def _join_mark_notes(rows: Iterable[Sequence[str]]) -> str:
    """Return the notes of the marks in a table as Markdown, a paragraph each."""
    return "\n\n".join(list_mark_notes(rows))


FILTERS = {
    "md": escape_markdown,
    "code": code_span,
    "p": format_p,
    "row": format_table_row,
    "listed": join_words,
    "mark_notes": _join_mark_notes,
}


def render_template(name: str, content: Mapping[str, Any]) -> str:
    """Return a template of ``templates/`` as text, filled with ``content``.

    A template passes every text of a user through the filter ``md``, which shows it literally.

    Raises:
        jinja2.UndefinedError: The template uses a name that ``content`` does not have.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (Markdown, not HTML: the filter md escapes for both)
    )
    environment.filters.update(FILTERS)
    return _remove_repeated_empty_lines(environment.get_template(name).render(content))


def _remove_repeated_empty_lines(text: str) -> str:
    """Return text with at most one empty line between blocks, and with none at the start or end."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"
