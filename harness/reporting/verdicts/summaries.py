"""All verdicts of an experiment, as Markdown for its page and as plain text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting.verdicts.verdict import Verdict
from harness.text import escape_markdown, one_line

NO_VERDICT = "No contrast is declared, so there is no verdict: all results are exploratory."


def format_headline(verdicts: Sequence[Verdict]) -> str:
    """Return two bold lines as a Markdown block quote: the answers, and how sure they are."""
    if not verdicts:
        return NO_VERDICT
    answers = " ".join(verdict.answer for verdict in verdicts)
    certainties = dict.fromkeys(verdict.certainty for verdict in verdicts)
    lines = [f"**{escape_markdown(text)}**" for text in (answers, " ".join(certainties))]
    return "\n>\n".join(f"> {line}" for line in lines)


def format_summary_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the verdicts as lines of plain text: answer, conclusion and notes, the last two indented."""
    if not verdicts:
        return [NO_VERDICT]
    return [
        line
        for verdict in verdicts
        for line in (
            one_line(verdict.answer),
            f"  {one_line(verdict.conclusion)}",
            *(f"  {one_line(note)}" for note in verdict.notes),
        )
    ]
