"""A diff of two results as plain text for the terminal: table cells, and sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.reporting.diff.change import Change
from harness.reporting.diff.results_diff import Diff
from harness.reporting.diff.time_comparability import BENCHMARK_TIMES
from harness.reporting.formatting import ABSENT, format_number, format_p, format_quantity, join_words
from harness.text import one_line
from harness.tracking.metrics import METRICS, TRAINING_SECONDS

HEADINGS = ("variant", "measure", "old", "new", "change", "95 % interval", "p (Holm)", "n", "")
METHOD_SUFFIXES = {"welch": " (Welch)", "processes": " processes"}


def is_time(change: Change) -> bool:
    """Return whether a change is one of a time, whose effect is in percent of the old value."""
    return change.measure in (TRAINING_SECONDS, *BENCHMARK_TIMES)


def format_change_cells(change: Change) -> list[str]:
    """Return the cells of a change under :data:`HEADINGS`."""
    interval = ABSENT
    if change.low is not None and change.high is not None:
        interval = f"{_format_effect(change, change.low)} to {_format_effect(change, change.high)}"
    return [
        one_line(change.variant),
        METRICS[change.measure].label.lower(),
        _format_value(change, change.old),
        _format_value(change, change.new),
        f"{_format_effect(change, change.effect)} {_unit(change)}",
        interval,
        format_p(change.p_adjusted),
        f"{change.n}{METHOD_SUFFIXES.get(change.method, '')}",
        change.state,
    ]


def _format_value(change: Change, value: float) -> str:
    """Return an error in percent, or a time in seconds (below one in milliseconds)."""
    if not is_time(change):
        return f"{format_number(value)} %"
    return f"{format_number(value)} s" if value >= 1 else f"{format_number(1000 * value)} ms"


def _format_effect(change: Change, value: float) -> str:
    """Return an effect with its sign, without its unit."""
    return format_number(value, 1 if is_time(change) else 2, sign=True)


def _unit(change: Change) -> str:
    """Return the unit of a change's effect."""
    return "%" if is_time(change) else "points"


def describe_diff(diff: Diff) -> list[str]:
    """Return the sentences below the table: notes, what was not compared, and at the end the conclusion."""
    sentences = [*_describe_notes(diff), *diff.notes, *diff.not_compared]
    for side, names in (("OLD", diff.only_old), ("NEW", diff.only_new)):
        if names:
            sentences.append(f"Only in {side}: {join_words(names)}.")
    return [one_line(sentence) for sentence in (*sentences, format_conclusion(diff))]


def _describe_notes(diff: Diff) -> list[str]:
    """Return the notes of single changes as sentences; equal notes are joined, with all their variants."""
    variants_by_note: dict[tuple[str, str], list[str]] = {}
    for change in diff.changes:
        for note in change.notes:
            variants_by_note.setdefault((change.measure, note), []).append(change.variant)
    totals = Counter(change.measure for change in diff.changes)
    return [
        f"{METRICS[key].label}, {'all variants' if len(names) == totals[key] else join_words(names)}: {note}."
        for (key, note), names in variants_by_note.items()
    ]


def format_conclusion(diff: Diff) -> str:
    """Return which variants are worse and better beyond noise, and the rule that decides it."""
    tested = [change for change in diff.changes if change.p is not None]
    if not tested:
        return "No regression was found, because nothing could be tested."
    worse, better = ([c for c in diff.changes if c.state == state] for state in ("worse", "better"))
    verdict = f"Regression: {_list_changes(worse)}" if worse else "No regression beyond noise"
    improved = f"; better: {_list_changes(better)}" if better else ""
    return (
        f"{verdict}{improved} ({format_quantity(len(tested), 'comparison')} tested). A change counts if its p is at "
        f"most {diff.level:g} after Holm's correction, and if it is at least {diff.smallest:g} points of error or "
        f"{diff.smallest_time:g} % of time."
    )


def _list_changes(changes: Sequence[Change]) -> str:
    """Return changes in words: variant, metric and effect of each."""
    return join_words(
        f"{change.variant} in {METRICS[change.measure].label.lower()} "
        f"({_format_effect(change, change.effect)} {_unit(change)})"
        for change in changes
    )
