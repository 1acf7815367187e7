"""The diff of two results: which variants changed beyond noise in error or time, from OLD to NEW."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import HarnessError
from harness.reporting.comparability import describe_conditions, describe_data, describe_differences, describe_recipe
from harness.reporting.diff.change import SIDES, Change, LastEpochs, classify_changes
from harness.reporting.diff.error_changes import measure_error_change
from harness.reporting.diff.time_changes import measure_benchmark_change, measure_training_time_change
from harness.reporting.diff.time_comparability import BENCHMARK_TIMES, NOT_MEASURED, explain_incomparability
from harness.reporting.formatting import join_words
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.metrics import METRICS, TEST_ERROR, TRAINING_SECONDS
from harness.tracking.results_table import Results

LEVEL = 0.05
SMALLEST_ERROR_CHANGE = 0.5
"""In percentage points; the default of `smallest_effect` in an experiment."""
SMALLEST_TIME_CHANGE = 5.0
"""In percent; two sessions on one machine differ by a few percent without a cause in the network."""
DEFAULT_METRICS = (TEST_ERROR,)
VariantPairs = Sequence[tuple[AnyVariant, AnyVariant]]
"""The variants of OLD and NEW that have the same name."""


@dataclass(frozen=True)
class Diff:
    """The changes of all variants from OLD to NEW, and what could not be compared.

    Attributes:
        level: Level of the tests, over all changes of errors and over all changes of times.
        smallest: Smallest change of an error that counts, in percentage points.
        smallest_time: Smallest change of a time that counts, in percent.
        errors: Changes of errors, by metric and then by variant.
        times: Changes of times, in the same order.
        only_old: Names of the variants that NEW does not have.
        only_new: Names of the variants that OLD does not have.
        notes: Sentences about the whole: a changed recipe, unequal conditions, tests that are not possible.
        not_compared: Sentences that say which times are not compared, and why.
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
        """The changes of errors, then those of times."""
        return (*self.errors, *self.times)

    @property
    def regression(self) -> bool:
        """Whether some error or time is worse."""
        return any(change.state == "worse" for change in self.changes)


def compare_results(
    old: Results,
    new: Results,
    level: float = LEVEL,
    smallest: float = SMALLEST_ERROR_CHANGE,
    smallest_time: float = SMALLEST_TIME_CHANGE,
    metrics: Sequence[str] = DEFAULT_METRICS,
) -> Diff:
    """Compare NEW with OLD, variant by variant; variants are matched by name and trials by seed.

    Holm's correction counts all errors of all variants together, and all times of all variants together.

    Args:
        level: Level of the two-sided tests.
        smallest: Smallest change of an error that counts, in percentage points.
        smallest_time: Smallest change of a time that counts, in percent.
        metrics: Keys of the errors to compare.

    Raises:
        HarnessError: The two have unequal data, no common variant, or no common error.
    """
    pairs = _match_variants(old, new)
    finals = old.final, new.final
    keys = _list_common_metrics(metrics, finals)
    errors = [measure_error_change(a, b, finals, key, old.study.data) for key in keys for a, b in pairs]
    times, not_compared = _measure_time_changes([a.name for a, _ in pairs], old, new, finals)
    common = {a.name for a, _ in pairs}
    diff = Diff(
        level=level,
        smallest=smallest,
        smallest_time=smallest_time,
        errors=classify_changes([change for change in errors if change], level, smallest),
        times=classify_changes(times, level, smallest_time),
        only_old=tuple(variant.name for variant in old.study.variants if variant.name not in common),
        only_new=tuple(variant.name for variant in new.study.variants if variant.name not in common),
        notes=(),
        not_compared=tuple(not_compared),
    )
    return replace(diff, notes=(*_describe_circumstances(diff, old, new), *_describe_test_limits(diff)))


def _match_variants(old: Results, new: Results) -> VariantPairs:
    """Return the variants that OLD and NEW have in common.

    Raises:
        HarnessError: The data is unequal, no variant is common, or one of the two has no recorded trial.
    """
    differences = describe_differences(describe_data(old.study), describe_data(new.study))
    if differences:
        raise HarnessError(
            f"OLD and NEW have unequal data, so neither errors nor times are comparable ({differences})",
            where="harness diff",
            remedy="Run both on the same data and split.",
        )
    new_variants = {variant.name: variant for variant in new.study.variants}
    pairs = [(v, new_variants[v.name]) for v in old.study.variants if v.name in new_variants]
    if not pairs:
        names = [join_words(v.name for v in results.study.variants[:5]) for results in (old, new)]
        raise HarnessError(
            f"OLD and NEW have no variant in common (OLD has {names[0]}; NEW has {names[1]})",
            where="harness diff",
            remedy="Variants are matched by name: give a changed variant the same name or label in both.",
        )
    for side, results in zip(SIDES, (old, new), strict=True):
        if not len(results.epochs):
            name = results.study.experiment.name
            raise HarnessError(
                f"no trial of '{name}' is recorded", where=side, remedy=f"Run `harness run {name}` first."
            )
    return pairs


def _list_common_metrics(metrics: Sequence[str], finals: LastEpochs) -> list[str]:
    """Return those of ``metrics`` that OLD and NEW have both measured.

    Raises:
        HarnessError: There is none.
    """
    common = [key for key in metrics if all(final[key].notna().any() for final in finals)]
    if not common:
        raise HarnessError(
            f"{join_words(METRICS[key].label for key in metrics)} is not measured in both OLD and NEW",
            where="--metric",
            remedy="Choose an error that both have.",
        )
    return common


def _measure_time_changes(
    names: Sequence[str], old: Results, new: Results, finals: LastEpochs
) -> tuple[list[Change], list[str]]:
    """Return the changes of all comparable times, and a sentence for each reason why others are not comparable."""
    changes: list[Change] = []
    variants_by_reason: dict[tuple[str, str], list[str]] = {}
    old_trials, new_trials = (dict(list(final.groupby("variant"))) for final in finals)
    for key in (TRAINING_SECONDS, *BENCHMARK_TIMES):
        for name in names:
            trials = old_trials.get(name, finals[0].iloc[:0]), new_trials.get(name, finals[1].iloc[:0])
            reason = explain_incomparability(key, trials, (old.study, new.study))
            if reason is None and key == TRAINING_SECONDS:
                changes.append(measure_training_time_change(name, trials))
            elif reason is None:
                changes.append(measure_benchmark_change(name, key, trials))
            elif reason != NOT_MEASURED:
                variants_by_reason.setdefault((key, reason), []).append(name)
    sentences = [
        f"{METRICS[key].label} is not compared"
        f"{'' if len(variants) == len(names) else f' for {join_words(variants)}'}: {reason}."
        for (key, reason), variants in variants_by_reason.items()
    ]
    return changes, sentences


def _describe_circumstances(diff: Diff, old: Results, new: Results) -> list[str]:
    """Return sentences about missing variants, a changed recipe, and unequal conditions."""
    notes = []
    compared = {change.variant for change in diff.errors}
    missing = [v.name for v in old.study.variants if v.name not in compared and v.name not in diff.only_old]
    if missing:
        notes.append(f"Not recorded in OLD or in NEW, so not compared: {join_words(missing)}.")
    recipe = describe_differences(describe_recipe(old.study), describe_recipe(new.study))
    if recipe:
        notes.append(f"The recipe changed: {recipe}.")
    conditions = describe_differences(describe_conditions(old.final), describe_conditions(new.final))
    if conditions:
        notes.append(f"Errors were measured under unequal conditions, which may change them: {conditions}.")
    if any(results.study.experiment.variance is not None for results in (old, new)):
        notes.append(
            "Trials of a crossed design share seeds. The tests count them as independent: intervals are too narrow."
        )
    return notes


def _describe_test_limits(diff: Diff) -> list[str]:
    """Return sentences about changes that no test can find, because there are too few seeds."""
    notes = []
    untested = [change for change in diff.errors if change.p is None]
    if untested:
        fewest = min(change.n for change in untested)
        is_all = len(untested) == len(diff.errors)
        errors = "Errors are not" if is_all else f"{len(untested)} of {len(diff.errors)} errors are not"
        notes.append(
            f"{errors} tested: n = {fewest} is too small to tell a change from noise; {SEEDS_FOR_CLAIMS} common seeds "
            "are needed, or as many on both sides if none is common."
        )
    for noun, changes in (("an error", diff.errors), ("a time", diff.times)):
        tested = [change for change in changes if change.p is not None]
        pairs = [change.n for change in tested if change.method == "paired"]
        if not tested or len(pairs) < len(tested):
            continue
        smallest_p = 2 / 2 ** max(pairs)
        if len(tested) * smallest_p > diff.level:
            seeds = seeds_to_reach(diff.level, len(tested), two_sided=True)
            notes.append(
                f"No test can show a change of {noun}: with {max(pairs)} pairs no two-sided p is below "
                f"{smallest_p:.3g}, but Holm's correction for {len(tested)} comparisons needs "
                f"{diff.level / len(tested):.3g}. {seeds} seeds would be enough."
            )
    return notes
