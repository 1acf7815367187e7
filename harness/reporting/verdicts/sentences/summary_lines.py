"""All verdicts of an experiment as plain text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting.verdicts.verdict import Verdict
from harness.text import one_line

NO_VERDICT = "No contrast is declared, so there is no verdict: all results are exploratory."


def format_summary_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the verdicts as lines of plain text: answer, conclusion and remarks, the last two indented."""
    if not verdicts:
        return [NO_VERDICT]
    return [
        line
        for verdict in verdicts
        for line in (
            one_line(verdict.answer),
            f"  {one_line(verdict.conclusion)}",
            *(f"  {one_line(remark)}" for remark in verdict.remarks),
        )
    ]
