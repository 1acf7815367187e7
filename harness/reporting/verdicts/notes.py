"""The notes below a verdict: diverged, untrained and lost trials, pairs that were dropped, what was not measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.reporting.formatting import format_quantity, format_trials, join_words
from harness.reporting.verdicts.failures import Failures
from harness.reporting.verdicts.verdict import Verdict
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results


def add_notes(verdict: Verdict, names: Sequence[str], results: Results, failures: Failures) -> Verdict:
    """Return the verdict with its failed and missing trials, and with a note on each kind of them.

    Args:
        names: Names of the compared variants.
        failures: The trials of the contrast that failed to train.
    """
    missing = [(name, seed) for name, seed in results.missing if name in names]
    single = [trial for trial in failures.untrained if trial[0] not in failures.untrainable]
    notes = [*_name_failed(failures, single), *_name_missing(verdict, missing)]
    tests = [test for component in verdict.components for test in component.tests]
    unmeasured = sorted({METRICS[test.metric].label for test in tests if not test.n})
    if unmeasured and not missing:
        notes.append(f"At least one compared variant has no value of: {join_words(unmeasured)}.")
    components = tuple(
        replace(component, untrainable=tuple(name for name in failures.untrainable if name in component.variants))
        for component in verdict.components
    )
    return replace(
        verdict,
        components=components,
        seeds_to_decide=None if failures.untrainable else verdict.seeds_to_decide,
        notes=(*verdict.notes, *notes),
        diverged=_label(failures.diverged),
        untrained=failures.untrainable,
        untrained_trials=_label(failures.untrained),
        missing=_label(missing),
    )


def _name_failed(failures: Failures, single: list[tuple[str, int]]) -> list[str]:
    notes = []
    if failures.diverged:
        verb = "counts" if len(failures.diverged) == 1 else "count"
        trials = join_words(format_trials(failures.diverged))
        notes.append(
            f"{format_quantity(len(failures.diverged), 'trial')} diverged and {verb} at chance error: {trials}."
        )
    if single:
        trials = join_words(format_trials(single))
        verb = "does" if len(single) == 1 else "do"
        notes.append(f"{format_quantity(len(single), 'trial')} {verb} not train, and stay at chance: {trials}.")
    return notes


def _name_missing(verdict: Verdict, missing: list[tuple[str, int]]) -> list[str]:
    """Return which trials are missing, and that their pairs are dropped."""
    if not missing:
        return []
    trials, seeds = join_words(format_trials(missing)), len({seed for _, seed in missing})
    verb, their = ("is", "its") if len(missing) == 1 else ("are", "their")
    dropped = f" Without {their} partner, {format_quantity(seeds, 'seed')} count{'s' * (seeds == 1)} in no pair."
    return [f"{format_quantity(len(missing), 'trial')} {verb} not recorded: {trials}.{dropped if verdict.n else ''}"]


def _label(trials: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{name} seed {seed}" for name, seed in trials)
