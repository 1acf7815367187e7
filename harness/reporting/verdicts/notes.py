"""The notes below a verdict: undeclared looks, diverged and missing trials, incomplete pairs."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from harness.reporting.formatting import format_quantity, format_trials, join_words
from harness.reporting.verdicts.verdict import Verdict
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results


def add_notes(verdict: Verdict, cells: dict[str, str], results: Results, diverged_rows: pd.DataFrame) -> Verdict:
    """Return the verdict with its diverged and missing trials, and with a note on everything that limits it.

    Args:
        cells: Names of the compared variants, by their role in the contrast.
        diverged_rows: The last epochs of all diverged trials.
    """
    names = set(cells.values())
    rows = diverged_rows[diverged_rows["variant"].isin(list(names))]
    diverged = list(zip(rows["variant"], rows["seed"], strict=True))
    missing = [(name, seed) for name, seed in results.missing if name in names]
    notes = [*([verdict.exploratory] if verdict.exploratory else []), *verdict.notes]
    if diverged:
        verb = "counts" if len(diverged) == 1 else "count"
        trials = join_words(format_trials(diverged))
        notes.append(f"{format_quantity(len(diverged), 'trial')} diverged and {verb} at chance error: {trials}.")
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        trials = join_words(format_trials(missing))
        notes.append(f"{format_quantity(len(missing), 'trial')} {verb} not recorded: {trials}.")
    tests = [test for component in verdict.components for test in component.tests]
    if any(test.comparison and test.comparison.method == "welch" for test in tests):
        notes.append("Some pairs are incomplete, so Welch's test of independent groups replaces the paired test there.")
    unmeasured = sorted({METRICS[test.metric].label for test in tests if not test.comparison})
    if unmeasured:
        notes.append(f"At least one compared variant has no value of: {join_words(unmeasured)}.")
    return replace(
        verdict,
        notes=tuple(notes),
        diverged=tuple(f"{name} seed {seed}" for name, seed in diverged),
        missing=tuple(f"{name} seed {seed}" for name, seed in missing),
    )
