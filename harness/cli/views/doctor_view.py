"""The findings of `harness doctor` as a table on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table

from harness.cli.console import out
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api.doctor import Finding

COLOURS = {"ok": "green", "absent": "yellow", "broken": "red"}
"""The colour of each state of a finding."""


def print_findings(findings: Iterable[Finding]) -> None:
    """Print a table with a row for each finding."""
    table = Table("", "what", "found", box=None, header_style="bold")
    for finding in findings:
        colour = COLOURS[finding.state]
        table.add_row(f"[{colour}]{finding.state}[/{colour}]", finding.what, escape_rich(finding.found))
    out.print(table)
