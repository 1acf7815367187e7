"""The two lines with which every report, description and page begins: what was found, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.reporting.formatting import format_quantity, join_words
from harness.reporting.variance.section import answer_variance
from harness.reporting.verdicts.sentences.phrases import describe_budget
from harness.reporting.verdicts.verdict import Verdict
from harness.text import escape_markdown
from harness.tracking.results_table import Results

MAX_ANSWERS, MAX_CERTAINTIES = 4, 2
"""Most verdicts of which each has a sentence of its own in the first line, and in the second; more are counted."""
STATES = ("supported", "contradicted", "undecided")


class AnswerLines(NamedTuple):
    """Two lines of plain text.

    Attributes:
        found: What was found, in a sentence or two.
        certainty: How sure it is: budget, number of seeds, level, data set.
    """

    found: str
    certainty: str


def write_answer_lines(results: Results, verdicts: Sequence[Verdict]) -> AnswerLines:
    """Return the two lines that answer an experiment's question."""
    study = results.study
    if (variance := answer_variance(results)) is not None:
        return AnswerLines(*variance)
    if not verdicts:
        seeds = format_quantity(len(study.experiment.seeds), "seed")
        return AnswerLines(
            "No contrast is declared, so there is no verdict.",
            f"All results are exploratory: {seeds} per variant, "
            f"{format_quantity(study.experiment.recipe.epochs, 'epoch')}, on {study.data.name}.",
        )
    counts = f"Of {len(verdicts)} contrasts, {_count_states(verdicts)}"
    titles = {verdict.certainty: verdict.title for verdict in verdicts}
    first, *others = titles
    if len(others) < MAX_CERTAINTIES:
        # The budget is the same for all of them, so one mention of it is enough.
        texts = [first, *(text.replace(f" {describe_budget(study)}", "", 1) for text in others)]
        if 1 < len(verdicts) == len(titles):
            pairs = zip(titles.values(), texts, strict=True)
            texts = [f"{title} – {text[0].lower()}{text[1:]}" for title, text in pairs]
        certainty = " ".join(texts)
    else:
        certainty = f"{counts} {describe_budget(study)}: {_describe_seeds(verdicts)}."
    found = " ".join(verdict.answer for verdict in verdicts) if len(verdicts) <= MAX_ANSWERS else f"{counts}."
    return AnswerLines(found, certainty)


def _count_states(verdicts: Sequence[Verdict]) -> str:
    """Return how many verdicts have each state, such as ``2 are supported and 1 is undecided``."""
    counts = {state: sum(verdict.state == state for verdict in verdicts) for state in STATES}
    return join_words(f"{count} {'is' if count == 1 else 'are'} {state}" for state, count in counts.items() if count)


def _describe_seeds(verdicts: Sequence[Verdict]) -> str:
    """Return the range of n of many verdicts, and how many of them are exploratory."""
    numbers = sorted({verdict.n for verdict in verdicts})
    n = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    exploratory = sum(bool(verdict.exploratory) for verdict in verdicts)
    return f"{n} paired seeds{f'; {exploratory} of the verdicts are exploratory' if exploratory else ''}"


def format_answer(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Return the two lines as two bold paragraphs of Markdown."""
    return "\n\n".join(f"**{escape_markdown(line)}**" for line in write_answer_lines(results, verdicts) if line)
