"""The t values at which the stages of an adaptive experiment reject, for predictions only.

The test itself is the sign-flip test in stages. For normal differences a t test with the same spending of the level
decides nearly as often, and is fast enough to simulate a plan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from harness.reporting.statistics.intervals import Floats
from harness.reporting.statistics.stage_test import spent_levels

RUNS = 100_000
"""Simulated experiments without an effect, from which the boundaries come."""


@lru_cache(maxsize=256)
def stage_boundaries(level: float, stages: tuple[int, ...]) -> tuple[float, ...]:
    """Return the t above which each of ``stages`` rejects, one-sided; infinite where the sign-flip test cannot.

    Args:
        level: Level of all stages together.
    """
    t = simulate_t_values(0.0, stages, RUNS)
    is_open, boundaries = np.ones(RUNS, dtype=bool), []
    before = 0
    for index, (stage, spent) in enumerate(zip(stages, spent_levels(level, stages), strict=True)):
        can_reject = spent * 2.0**stage >= 1
        count = math.floor(spent * RUNS) - before if can_reject else 0
        values = np.sort(t[is_open, index])[::-1]
        boundary = float(values[count - 1]) if 0 < count <= values.size else math.inf
        boundaries.append(boundary)
        rejected = is_open & (t[:, index] >= boundary)
        before += int(rejected.sum())
        is_open &= ~rejected
    return tuple(boundaries)


def simulate_t_values(effect: float, stages: Sequence[int], runs: int, seed: int = 18) -> Floats:
    """Return t statistics (runs, stages) of simulated experiments with normal differences.

    Args:
        effect: True mean in standard deviations.
    """
    random = np.random.default_rng(seed)
    sums, squares, n = np.zeros(runs), np.zeros(runs), 0
    values = np.empty((runs, len(stages)))
    for index, stage in enumerate(stages):
        added = stage - n
        total = random.normal(added * effect, math.sqrt(added), runs)
        # The squares of `added` normal values: that of their mean, and chi-square for the rest.
        squares += total**2 / added + (random.chisquare(added - 1, runs) if added > 1 else 0.0)
        sums, n = sums + total, stage
        variance = np.maximum(squares - sums**2 / n, 1e-12) / (n - 1)
        values[:, index] = sums / n / np.sqrt(variance / n)
    return values


def chance_to_reject(effect: float, level: float, stages: tuple[int, ...], runs: int = 20_000) -> Floats:
    """Return the chance that a test has rejected at or before each of ``stages``, for an effect in sd."""
    boundaries = np.array(stage_boundaries(level, stages))
    has_rejected = np.logical_or.accumulate(simulate_t_values(effect, stages, runs, 19) >= boundaries, axis=1)
    return np.asarray(has_rejected.mean(axis=0), dtype=np.float64)
