"""All verdicts of an experiment, as Markdown for its page and as plain text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting.verdicts.verdict import Verdict
from harness.text import escape_markdown, one_line

NO_VERDICT = "No contrast is declared, so there is no verdict: all results are exploratory."


def format_headline(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as Markdown block quotes, the first words of each in bold, its notes below it."""
    if not verdicts:
        return NO_VERDICT
    quotes = []
    for verdict in verdicts:
        start, colon, rest = verdict.conclusion.partition(": ")
        lines = [
            f"**{escape_markdown(start + colon.strip())}** {escape_markdown(rest)}",
            *map(escape_markdown, verdict.notes),
        ]
        quotes.append("\n>\n".join(f"> {line}" for line in lines))
    # GitHub would join two block quotes with only an empty line between them, so a comment stands there too.
    return "\n\n<!-- -->\n\n".join(quotes)


def format_summary_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the verdicts as lines of plain text, one each, with its notes indented below it."""
    if not verdicts:
        return [NO_VERDICT]
    return [
        line
        for verdict in verdicts
        for line in (one_line(verdict.conclusion), *(f"  {one_line(note)}" for note in verdict.notes))
    ]
