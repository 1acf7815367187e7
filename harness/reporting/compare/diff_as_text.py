"""What changed, for a terminal: a table of plain text, and sentences."""

from __future__ import annotations

from collections import Counter

from harness.reporting.compare.diff import Diff
from harness.reporting.compare.error_changes import Change
from harness.reporting.compare.time_changes import BENCHMARK_TIMES, TRAINING_TIME
from harness.reporting.formatting import ABSENT, format_quantity, format_number, format_p, join_words
from harness.text import one_line
from harness.tracking.metrics import METRICS

HEADINGS = ("variant", "measure", "old", "new", "change", "95 % interval", "p (Holm)", "n", "")


def is_time(change: Change) -> bool:
    """Whether its effect is in percent of the old value, and not in points."""
    return change.measure in (TRAINING_TIME, *BENCHMARK_TIMES)


def format_change_cells(change: Change) -> list[str]:
    """The row under :data:`HEADINGS`."""
    bounds = ABSENT
    if change.low is not None and change.high is not None:
        bounds = f"{_effect(change, change.low)} to {_effect(change, change.high)}"
    return [
        one_line(change.variant), METRICS[change.measure].label.lower(), _value(change, change.old),
        _value(change, change.new), f"{_effect(change, change.effect)} {_unit(change)}", bounds,
        format_p(change.p_adjusted), str(change.n) + {"welch": " (Welch)", "processes": " processes"}.get(
            change.method, ""), change.state,
    ]  # fmt: skip


def _value(change: Change, value: float) -> str:
    if not is_time(change):
        return f"{format_number(value)} %"
    return f"{format_number(value)} s" if value >= 1 else f"{format_number(1000 * value)} ms"


def _effect(change: Change, value: float) -> str:
    return format_number(value, 1 if is_time(change) else 2, sign=True)


def _unit(change: Change) -> str:
    return "%" if is_time(change) else "points"


def describe_diff(found: Diff) -> list[str]:
    """What the table does not say, and the conclusion last; plain text."""
    said = _notes(found)
    said += [*found.notes, *found.not_compared]
    for side, names in (("OLD", found.only_old), ("NEW", found.only_new)):
        if names:
            said.append(f"Only in {side}: {join_words(names)}.")
    return [one_line(line) for line in (*said, format_conclusion(found))]


def _notes(found: Diff) -> list[str]:
    """The notes on single variants, each once with all that it holds for."""
    about: dict[tuple[str, str], list[str]] = {}
    for change in found.changes:
        for note in change.notes:
            about.setdefault((change.measure, note), []).append(change.variant)
    sizes = Counter(change.measure for change in found.changes)
    return [
        f"{METRICS[key].label}, {'all variants' if len(names) == sizes[key] else join_words(names)}: {note}."
        for (key, note), names in about.items()
    ]


def format_conclusion(found: Diff) -> str:
    """One sentence: what is worse and what is better beyond noise, and what that means."""
    tested = [change for change in found.changes if change.p is not None]
    worse, better = ([c for c in found.changes if c.state == state] for state in ("worse", "better"))
    asks = (
        f"p at most {found.level:g} after Holm's correction, and at least {found.smallest:g} points of error or "
        f"{found.smallest_time:g} % of time"
    )
    if not tested:
        return "No regression was found, because nothing could be tested."
    verdict = f"Regression: {_named(worse)}" if worse else "No regression beyond noise"
    improved = f"; better: {_named(better)}" if better else ""
    return f"{verdict}{improved} ({format_quantity(len(tested), 'comparison')} tested, {asks})."


def _named(changes: list[Change]) -> str:
    return join_words(
        f"{change.variant} in {METRICS[change.measure].label.lower()} "
        f"({_effect(change, change.effect)} {_unit(change)})"
        for change in changes
    )
