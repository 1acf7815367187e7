"""Changes of a variant's error between two results."""

from __future__ import annotations

import math

from harness.reporting.comparability import describe_differences, describe_variant
from harness.reporting.diff.change import Change, LastEpochs, match_seeds
from harness.reporting.statistics.effect_test import compare_and_test
from harness.reporting.statistics.seed_values import SeedValues, values_by_seed
from harness.specs import DataInfo
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant


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
    test = compare_and_test(key, [new], [old], "two-sided", 0.0, 0.0, data)
    comparison = test.comparison
    assert comparison is not None
    notes += _describe_diverged(old_variant.name, finals, key, (old, new), data)
    if old == new:
        notes.append("equal in every seed")
    return Change(
        variant=old_variant.name,
        measure=key,
        old=_mean(old),
        new=_mean(new),
        effect=comparison.effect,
        low=test.low,
        high=test.high,
        n=test.n,
        method=comparison.method,
        p=test.p,
        notes=tuple(notes),
    )


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
    rest = compare_and_test(key, [new], [old], "two-sided", 0.0, 0.0, data)
    return [f"{note}; without their seeds {rest.effect:+.2f} points, n = {rest.n}"]


def _mean(values: SeedValues) -> float:
    """Return the mean over seeds."""
    return math.fsum(values.values()) / len(values)
