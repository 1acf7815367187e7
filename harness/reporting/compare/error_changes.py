"""How much one variant changed between two results, and when that is called a change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from harness.reporting.comparability import describe_differences, describe_variant
from harness.reporting.formatting import format_quantity
from harness.reporting.statistics.estimates import adjust_p_values
from harness.reporting.verdicts.components import SeedValues, cell, compare_and_test
from harness.specs import DataInfo
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant

State = Literal["worse", "better", "no change shown", "not tested"]
Finals = tuple[pd.DataFrame, pd.DataFrame]
"""Of OLD and NEW, one row per trial: its last epoch."""


@dataclass(frozen=True)
class Change:
    """One variant in one measure, NEW against OLD. Text is plain, not Markdown.

    Attributes:
        measure: Key of the metric.
        old: Mean over its seeds (processes, for a measured cost): percent, or seconds.
        effect: NEW - OLD in percentage points; for a time the ratio NEW / OLD - 1 in percent.
        low: Of the effect's 95 % interval; None below 5 seeds.
        n: Pairs; the smaller group where there are none.
        method: ``paired``, ``welch``, or ``processes`` (Welch's test over those of ``harness bench``).
        p: Two-sided, that nothing changed; None where n is too small. ``p_adjusted``: after Holm's correction.
        notes: What a reader has to know about it.
    """

    variant: str
    measure: str
    old: float
    new: float
    effect: float
    low: float | None
    high: float | None
    n: int
    method: str
    p: float | None
    p_adjusted: float | None = None
    state: State = "not tested"
    notes: tuple[str, ...] = ()


def measure_error_change(a: AnyVariant, b: AnyVariant, finals: Finals, key: str, data: DataInfo) -> Change | None:
    """One variant's error; None where a side has no trial."""
    cells = [cell(final, variant.name, key, frozenset()) for final, variant in zip(finals, (a, b), strict=True)]
    if not all(cells):
        return None
    (before, after), notes = match_seeds(cells[0], cells[1])
    changed = describe_differences(describe_variant(a), describe_variant(b))
    if changed:
        notes.append(f"its spec changed ({changed})")
    measured = compare_and_test(key, [after], [before], "two-sided", 0.0, 0.0, data)
    comparison = measured.comparison
    assert comparison is not None
    notes += _diverged(a.name, finals, key, (before, after), data)
    if before == after:
        notes.append("the same in every seed")
    return Change(
        a.name, key, _mean(before), _mean(after), comparison.effect, measured.low, measured.high, measured.n,
        comparison.method, measured.p, notes=tuple(notes),
    )  # fmt: skip


def match_seeds(before: SeedValues, after: SeedValues) -> tuple[tuple[SeedValues, SeedValues], list[str]]:
    """The seeds that both have, where they are enough for a claim; else all that each has, to be compared by groups."""
    both = sorted(before.keys() & after.keys())
    left = len(before) + len(after) - 2 * len(both)
    if not left or len(both) < SEEDS_FOR_CLAIMS:
        return (before, after), []
    kept = {seed: before[seed] for seed in both}, {seed: after[seed] for seed in both}
    return kept, [f"{format_quantity(left, 'trial')} without a partner left out"]


def _diverged(name: str, finals: Finals, key: str, cells: tuple[SeedValues, SeedValues], data: DataInfo) -> list[str]:
    """How many diverged, and what the change is without their seeds."""
    bad = [set(f.loc[(f["variant"] == name) & (f["outcome"] == TrialStatus.DIVERGED), "seed"]) for f in finals]
    counts = [len(seeds & set(values)) for seeds, values in zip(bad, cells, strict=True)]
    if not any(counts):
        return []
    before, after = ({s: v for s, v in values.items() if s not in bad[0] | bad[1]} for values in cells)
    note = f"diverged, at chance error: {counts[0]} in OLD, {counts[1]} in NEW"
    if not before or not after:
        return [f"{note}; no seed is without"]
    rest = compare_and_test(key, [after], [before], "two-sided", 0.0, 0.0, data)
    return [f"{note}; without their seeds {rest.effect:+.2f} points, n = {rest.n}"]


def _mean(values: SeedValues) -> float:
    return math.fsum(values.values()) / len(values)


def classify_changes(changes: Sequence[Change], level: float, smallest: float) -> tuple[Change, ...]:
    """The same with Holm's correction over those that are tested, and what they come to."""
    tested = [index for index, change in enumerate(changes) if change.p is not None]
    adjusted = dict(zip(tested, adjust_p_values([changes[index].p or 0.0 for index in tested]), strict=True))
    found = []
    for index, change in enumerate(changes):
        if index not in adjusted:
            found.append(change)
            continue
        beyond = adjusted[index] <= level and abs(change.effect) >= smallest
        state: State = "no change shown" if not beyond else "worse" if change.effect > 0 else "better"
        found.append(replace(change, p_adjusted=adjusted[index], state=state))
    return tuple(found)
