"""Reports and differences of results on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from harness.cli.console import out, print_text
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.reporting.diff.results_diff import Diff
    from harness.reporting.verdicts.verdict import Verdict


def print_report(verdicts: Sequence[Verdict], path: Path | None) -> None:
    """Print the verdicts of a report, one line each.

    Args:
        path: The report's file; None: do not print it.
    """
    from harness.reporting.verdicts.sentences.summary_lines import format_summary_lines

    for line in format_summary_lines(verdicts):
        print_text(line)
    if path is not None:
        print_paths([path])


def print_paths(paths: Iterable[Path]) -> None:
    """Print the paths of reports that were written."""
    for path in paths:
        print_text(f"Report: {path}")


def print_diff(difference: Diff) -> None:
    """Print the changes between two results as a table, and what follows from them."""
    from harness.reporting.diff.diff_as_text import HEADINGS, describe_diff, format_change_cells

    table = Table(box=None, header_style="bold")
    for index, heading in enumerate(HEADINGS):
        is_text = index < 2 or index == len(HEADINGS) - 1
        table.add_column(heading, justify="left" if is_text else "right")
    for change in difference.changes:
        table.add_row(*map(escape_rich, format_change_cells(change)))
    out.print_table(table)
    for line in describe_diff(difference):
        print_text(line)
