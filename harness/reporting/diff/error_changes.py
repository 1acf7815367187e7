"""Changes of a variant's error between two results."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.reporting.comparability import describe_differences, describe_variant
from harness.reporting.diff.change import Change, LastEpochs, match_seeds
from harness.reporting.diff.welch_test import compare_groups, welch_p_value
from harness.reporting.statistics.comparisons import Comparison, compare_pairs
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS, count_images, interval_over_images
from harness.reporting.statistics.seed_values import SeedValues, values_by_seed
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.specs import DataInfo
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.metrics import TRAINING_ERRORS


def measure_error_change(
    old_variant: AnyVariant, new_variant: AnyVariant, finals: LastEpochs, key: str, data: DataInfo
) -> Change | None:
    """Return the change of one variant's error; None if OLD or NEW has no trial with this error.

    Args:
        old_variant: The variant in OLD.
        new_variant: The variant of the same name in NEW; its spec may have changed.
        key: Key of the error.
    """
    variants = (old_variant, new_variant)
    errors = [values_by_seed(final, variant.name, key) for final, variant in zip(finals, variants, strict=True)]
    if not all(errors):
        return None
    (old, new), notes = match_seeds(errors[0], errors[1])
    differences = describe_differences(describe_variant(old_variant), describe_variant(new_variant))
    if differences:
        notes.append(f"its spec changed ({differences})")
    comparison, p = _compare(key, old, new, data)
    notes += _describe_diverged(old_variant.name, finals, key, (old, new), data)
    if old == new:
        notes.append("equal in every seed")
    return Change(
        variant=old_variant.name,
        measure=key,
        old=_mean(old),
        new=_mean(new),
        effect=comparison.effect,
        low=comparison.low,
        high=comparison.high,
        n=comparison.n,
        method=comparison.method,
        p=p,
        notes=tuple(notes),
    )


def _compare(key: str, old: SeedValues, new: SeedValues, data: DataInfo) -> tuple[Comparison, float | None]:
    """Return the change with the interval that a report shows, and p of no change; None below 8 seeds.

    The sides have the same seeds, and are compared in pairs, or no common seed, and are compared as groups.
    """
    seeds = sorted(old)
    if old.keys() == new.keys():
        x, y = [old[seed] for seed in seeds], [new[seed] for seed in seeds]
        comparison = compare_pairs(y, x)
        p = sign_flip_p_value([b - a for a, b in zip(x, y, strict=True)], "two-sided")
    else:
        groups = [list(new.values()), list(old.values())]
        comparison, p = compare_groups(groups, [1.0, -1.0]), welch_p_value(groups, [1.0, -1.0], "two-sided")
    low, high = comparison.low, comparison.high
    if comparison.sd is not None and comparison.sd < 1e-9:
        # Without spread the t interval has no width. Memorised training images are no sample, test images are one.
        low = high = None
        if key not in TRAINING_ERRORS:
            low, high = interval_over_images([new, old], [1.0, -1.0], count_images(key, data))
        if low is not None and high is not None and low <= 0 <= high:
            p = 1.0
    if comparison.n < SEEDS_FOR_INTERVALS:
        low = high = None
    return replace(comparison, low=low, high=high), p if comparison.n >= SEEDS_FOR_CLAIMS else None


def _describe_diverged(
    name: str, finals: LastEpochs, key: str, errors: tuple[SeedValues, SeedValues], data: DataInfo
) -> list[str]:
    """Return a note with the number of diverged trials and the change without their seeds; empty if none diverged."""
    diverged = [
        set(final.loc[(final["variant"] == name) & (final["outcome"] == TrialStatus.DIVERGED), "seed"])
        for final in finals
    ]
    counts = [len(seeds & set(values)) for seeds, values in zip(diverged, errors, strict=True)]
    if not any(counts):
        return []
    excluded = diverged[0] | diverged[1]
    old, new = ({seed: v for seed, v in values.items() if seed not in excluded} for values in errors)
    note = f"diverged trials, counted at chance error: {counts[0]} in OLD, {counts[1]} in NEW"
    if not old or not new:
        return [f"{note}; no seed is left without them"]
    rest, _ = _compare(key, *match_seeds(old, new)[0], data)
    return [f"{note}; without their seeds {rest.effect:+.2f} points, n = {rest.n}"]


def _mean(values: SeedValues) -> float:
    """Return the mean over seeds."""
    return math.fsum(values.values()) / len(values)
