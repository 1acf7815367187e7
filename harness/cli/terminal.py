"""The console as wide as its terminal, and texts and tables that fit it without torn numbers or commands."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions
from rich.table import Table
from rich.text import Text

from harness.text import WORD

PIPE_WIDTH = 140
"""Columns without a terminal."""
MIN_WIDTH = 20
"""Columns for which texts are laid out at least, however narrow the terminal is."""
UNLIMITED = 100_000
"""More columns than any table needs."""
TEXT_COLUMN = 20
"""Columns that a column of texts has at least."""


def correct_columns() -> None:
    """Correct a COLUMNS that is 0 or very small, in the environment: Typer's help would print nothing."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) == 0:
        del os.environ["COLUMNS"]
    elif columns.isdecimal():
        os.environ["COLUMNS"] = str(max(int(columns), MIN_WIDTH))


class TerminalConsole(Console):
    """A console as wide as its own terminal. Without a terminal it has :data:`PIPE_WIDTH` columns."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, emoji=False, **options)
        # rich reads COLUMNS once, and believes a 0 in it.
        self._width = self._height = None

    @property
    def is_screen(self) -> bool:
        """Whether it writes to a terminal. FORCE_COLOR makes a pipe coloured, but no terminal."""
        try:
            return bool(self.file.isatty())
        except (AttributeError, ValueError):
            return False

    @property  # type: ignore[misc]
    def size(self) -> ConsoleDimensions:
        """The columns and rows."""
        width, height = super().size
        if not self.is_screen:
            return ConsoleDimensions(PIPE_WIDTH, height)
        columns = os.environ.get("COLUMNS", "")
        if columns.isdecimal() and int(columns) > 0:
            width = int(columns)
        else:
            with suppress(OSError, ValueError):
                width = os.get_terminal_size(self.file.fileno()).columns or width
        return ConsoleDimensions(max(width, MIN_WIDTH), height)

    def print_lines(self, markup: str) -> None:
        """Print text with markup. A terminal gets lines as :func:`wrap_text` breaks them; a pipe gets whole lines."""
        text = Text.from_markup(markup, emoji=False)
        for line in wrap_text(text, self.width) if self.is_screen else [text]:
            self.print(line, soft_wrap=True)

    def print_table(self, table: Table) -> None:
        """Print a table. If a terminal is too narrow for it, print its rows as lists of values instead.

        Columns of texts (overflow "fold") are broken between words to :data:`TEXT_COLUMN` characters if need be.
        """
        needed = self.measure(table, options=self.options.update(width=UNLIMITED)).maximum
        for column in table.columns:
            if column.overflow == "fold" and not column.no_wrap:
                longest = max(_as_text(cell).cell_len for cell in (column.header, *column.cells))
                needed -= max(longest - TEXT_COLUMN, 0)
        if needed <= self.width:
            self.print(table)
        elif self.is_screen:
            for line in list_rows(table, self.width):
                self.print(line, soft_wrap=True)
        else:
            Console(file=self.file, width=needed, highlight=False, emoji=False, no_color=self.no_color).print(table)


def wrap_text(text: Text, width: int) -> list[Text]:
    """Return the lines of a text, broken between words (:data:`WORD`).

    A word that is longer than the width stays whole. A line that continues another one is indented like it.
    """
    lines = []
    for paragraph in text.split("\n", allow_blank=True):
        plain = paragraph.plain
        indent = Text(plain[: len(plain) - len(plain.lstrip())])
        prefix, start, end = Text(), 0, 0
        for word in WORD.finditer(plain):
            if end and cell_len(prefix.plain + plain[start : word.end()]) > width:
                lines.append(prefix + paragraph[start:end])
                prefix, start = indent, word.start()
            end = word.end()
        lines.append(prefix + paragraph[start:end])
    return lines


def list_rows(table: Table, width: int) -> list[Text]:
    """Return the rows of a table as lines: each row's first value, then the others with their headings.

    Lines end between values, unless one value alone is longer than the width.
    """
    headings = [_as_text(column.header) for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    lines = [Text(_as_text(table.title).plain, "bold")] if table.title else []
    for row in rows:
        first, *others = map(_as_text, row)
        lines += wrap_text(Text.assemble((first.plain, "bold")), width)
        line = Text("  ")
        for heading, value in zip(headings[1:], others, strict=True):
            if not value.plain:
                continue
            part = Text.assemble(heading, " " if heading.plain else "", value)
            if line.plain.strip() and cell_len(line.plain) + len(", ,") + part.cell_len > width:
                lines += wrap_text(line + Text(","), width)
                line = Text("  ")
            line += Text(", " if line.plain.strip() else "") + part
        if line.plain.strip():
            lines += wrap_text(line, width)
    return lines


def _as_text(cell: Any) -> Text:
    """Return a cell or a heading on one line."""
    text = cell.copy() if isinstance(cell, Text) else Text.from_markup(str(cell or ""), emoji=False)
    return Text(" ").join(text.split("\n"))
