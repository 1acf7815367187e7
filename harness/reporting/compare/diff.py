"""Two results of the same variants held against each other: a gate for a user's CI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.errors import HarnessError
from harness.reporting.comparability import describe_conditions, describe_data, describe_differences, describe_recipe
from harness.reporting.compare.error_changes import Change, Finals, classify_changes, measure_error_change
from harness.reporting.compare.time_changes import BENCHMARK_TIMES, TRAINING_TIME, incomparable_because, measure_benchmark_change, measure_training_time_change
from harness.reporting.formatting import join_words
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results

LEVEL = 0.05
SMALLEST = 0.5
"""Percentage points of error below which a change is none; the default of `smallest_effect` in an experiment."""
SMALLEST_TIME = 5.0
"""Percent of a time below which a change is none: sessions on one machine differ by some percent for no reason."""
ERROR = "test/error"


@dataclass(frozen=True)
class Diff:
    """Everything that was compared, and everything that was not, with the reason.

    Attributes:
        errors: By variant, then metric; ``times`` likewise.
        only_old: Variants that NEW does not hold.
        notes: On the whole: changed recipes, unlike conditions, tests that were not possible.
        not_compared: Why a variant's time was not: sentences.
    """

    level: float
    smallest: float
    smallest_time: float
    errors: tuple[Change, ...]
    times: tuple[Change, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    notes: tuple[str, ...]
    not_compared: tuple[str, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Errors, then times."""
        return (*self.errors, *self.times)

    @property
    def regression(self) -> bool:
        """Whether an error rose or a time grew, beyond noise."""
        return any(change.state == "worse" for change in self.changes)


def compare_results(
    old: Results,
    new: Results,
    level: float = LEVEL,
    smallest: float = SMALLEST,
    smallest_time: float = SMALLEST_TIME,
    metrics: Sequence[str] = (ERROR,),
) -> Diff:
    """Hold NEW against OLD, variant by variant.

    A change is called where the two-sided p, after Holm's correction over all variants and metrics (all times,
    likewise), is at most ``level`` and the effect at least ``smallest`` points (``smallest_time`` percent).

    Args:
        metrics: Errors that are compared.

    Raises:
        HarnessError: They share no variant, or are of unlike data: then nothing can be said.
    """
    unlike = describe_differences(describe_data(old.study), describe_data(new.study))
    if unlike:
        raise HarnessError(
            f"they are of unlike data, so neither errors nor times can be compared ({unlike})",
            where="harness diff",
            remedy="Run both on the same data and split.",
        )
    theirs = {variant.name: variant for variant in new.study.variants}
    pairs = [(variant, theirs[variant.name]) for variant in old.study.variants if variant.name in theirs]
    if not pairs:
        names = [join_words(v.name for v in results.study.variants[:5]) for results in (old, new)]
        raise HarnessError(
            f"they share no variant (OLD holds {names[0]}, NEW {names[1]})",
            where="harness diff",
            remedy="Variants are matched by name: give a changed one the same name or label in both.",
        )
    for side, results in (("OLD", old), ("NEW", new)):
        if not len(results.epochs):
            raise HarnessError(
                f"no trial of '{results.study.experiment.name}' is recorded", where=side, remedy="Run it first."
            )
    finals = old.final, new.final
    measurable = [key for key in metrics if all(final[key].notna().any() for final in finals)]
    if not measurable:
        raise HarnessError(
            f"{join_words(METRICS[key].label for key in metrics)} is not measured in both",
            where="--metric",
            remedy="Choose an error that both have.",
        )
    errors = [measure_error_change(a, b, finals, key, old.study.data) for key in measurable for a, b in pairs]
    times, refused = _times([a.name for a, _ in pairs], old, new, finals)
    ours = {variant.name for variant, _ in pairs}
    found = Diff(
        level,
        smallest,
        smallest_time,
        classify_changes([change for change in errors if change], level, smallest),
        classify_changes(times, level, smallest_time),
        tuple(variant.name for variant in old.study.variants if variant.name not in ours),
        tuple(name for name in theirs if name not in ours),
        (),
        tuple(refused),
    )
    return replace(found, notes=tuple(_notes(found, old, new, finals)))


def _times(names: Sequence[str], old: Results, new: Results, finals: Finals) -> tuple[list[Change], list[str]]:
    """Times that may be compared, and why the others may not: reasons with the variants that they hold for."""
    changes: list[Change] = []
    reasons: dict[tuple[str, str], list[str]] = {}
    before, after = (dict(list(final.groupby("variant"))) for final in finals)
    for key in (TRAINING_TIME, *BENCHMARK_TIMES):
        measured: Callable[..., Change | None] = measure_training_time_change if key == TRAINING_TIME else measure_benchmark_change
        for name in names:
            mine = before.get(name, finals[0].iloc[:0]), after.get(name, finals[1].iloc[:0])
            reason = incomparable_because(key, mine, (old.study, new.study))
            if reason is not None:
                if reason:
                    reasons.setdefault((key, reason), []).append(name)
                continue
            change = measured(name, key, mine)
            if change is not None:
                changes.append(change)
    said = [
        f"{METRICS[key].label} is not compared"
        f"{'' if len(concerned) == len(names) else ' for ' + join_words(concerned)}: {reason}."
        for (key, reason), concerned in reasons.items()
    ]
    return changes, said


def _notes(found: Diff, old: Results, new: Results, finals: Finals) -> list[str]:
    notes = []
    compared = {change.variant for change in found.errors}
    absent = [v.name for v in old.study.variants if v.name not in compared and v.name not in found.only_old]
    if absent:
        notes.append(f"Not recorded on one side, so not compared: {join_words(absent)}.")
    recipe = describe_differences(describe_recipe(old.study), describe_recipe(new.study))
    if recipe:
        notes.append(f"The recipe changed: {recipe}.")
    conditions = describe_differences(describe_conditions(finals[0]), describe_conditions(finals[1]))
    if conditions:
        notes.append(f"Errors were measured under other conditions, which may change them: {conditions}.")
    small = [change for change in found.errors if change.p is None]
    if small:
        fewest = min(change.n for change in small)
        notes.append(
            f"{_all_or(len(small), len(found.errors))} tested: n = {fewest} is too small to tell a change from "
            f"noise; {SEEDS_FOR_CLAIMS} seeds on both sides are needed."
        )
    for kind, changes in (("error", found.errors), ("time", found.times)):
        tested = [change for change in changes if change.p is not None]
        paired = [change.n for change in tested if change.method == "paired"]
        if tested and len(paired) == len(tested) and len(tested) * 2 / 2 ** max(paired) > found.level:
            needed = seeds_to_reach(found.level, len(tested), two_sided=True)
            notes.append(
                f"No change of {kind} can be called: at {max(paired)} pairs no two-sided p is below "
                f"{2 / 2 ** max(paired):.3g}, and Holm's correction asks for {found.level / len(tested):.3g} over "
                f"{len(tested)} comparisons; {needed} seeds would do."
            )
    return notes


def _all_or(some: int, every: int) -> str:
    return "Errors are not" if some == every else f"{some} of {every} errors are not"
