"""Trials of an adaptive experiment and of two fixed designs: one with its most seeds, one of equal power."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from harness.reporting.stages.boundaries import chance_to_reject
from harness.reporting.statistics.sample_size import POWER
from harness.specs import ResolvedExperiment
from harness.specs.adaptive.decide import StageSpec
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach
from harness.tracking.metrics import TRAINING_SECONDS

LARGEST_EFFECT = 3.0
"""Largest effect in standard deviations for which a design is planned."""
BISECTIONS = 12


@dataclass(frozen=True)
class Design:
    """A number of trials, and the hours that they train one after the other.

    Attributes:
        hours: None where no trial has a time.
    """

    trials: int
    hours: float | None


def recorded_design(final: pd.DataFrame) -> Design:
    """Return the recorded trials.

    Args:
        final: The last epoch of every trial, one row each.
    """
    seconds = final[TRAINING_SECONDS].dropna()
    return Design(len(final), float(seconds.sum()) / 3600 if len(seconds) else None)


def fixed_design(study: ResolvedExperiment, final: pd.DataFrame, seeds: int) -> Design:
    """Return a design that trains so many seeds of every variant, with the mean time of each variant's trials."""
    means = final.groupby("variant")[TRAINING_SECONDS].mean().dropna()
    names = [variant.name for variant in study.variants]
    has_times = all(name in means for name in names)
    hours = sum(seeds * float(means[name]) for name in names) / 3600 if has_times else None
    return Design(seeds * len(names), hours)


def seeds_of_equal_power(decide: StageSpec, level: float) -> tuple[int, float]:
    """Return the seeds of a fixed design with the power of the staged one, and the effect in sd at which both have 0.8.

    Both are planned for one one-sided test of normal differences.

    Args:
        level: Level of the test.
    """
    low, high = 0.0, LARGEST_EFFECT
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        is_enough = chance_to_reject(middle, level, decide.stages)[-1] >= POWER
        low, high = (low, middle) if is_enough else (middle, high)
    n = max(SEEDS_FOR_CLAIMS, seeds_to_reach(level, 1))
    while stats.nct.sf(stats.t.ppf(1 - level, n - 1), n - 1, high * math.sqrt(n)) < POWER and n < decide.most:
        n += 1
    return n, high
