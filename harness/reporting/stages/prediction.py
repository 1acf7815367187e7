"""The chance that further stages decide a contrast: from the recorded pairs, or at an assumed effect.

With recorded pairs, true effects are drawn from their distribution given the pairs (normal, with a flat prior), and
further pairs from each of them. Source: Spiegelhalter, Freedman and Blackburn 1986 (predictive power).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.reporting.stages.boundaries import chance_to_reject, stage_boundaries
from harness.reporting.statistics.intervals import Floats
from harness.reporting.verdicts.effect_tests import EffectTest, collect_common_differences
from harness.reporting.verdicts.outcomes import ROLES, Bound, Role, distance_beyond
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS

RUNS = 4000
ASSUMED_EFFECT = 1.0
"""Standard deviations by which the weakest effect of a contrast lies beyond its bound, if nothing is recorded."""


def predict_decision(verdict: Verdict, level: float, stages: Sequence[int]) -> Floats | None:
    """Return the chance that a contrast is decided at or before each of its ``stages``; 0 for those already analysed.

    Args:
        verdict: An undecided verdict.
        level: Level of the contrast after Holm's correction, for supporting and for contradicting.
        stages: All declared stages.

    Returns:
        None with fewer than 8 common pairs.
    """
    tests = [test for component in verdict.components for test in component.tests]
    values = collect_common_differences(tests)
    if values.shape[0] < SEEDS_FOR_CLAIMS:
        return None
    analysed = max(verdict.stage.analysed, default=0) if verdict.stage is not None else 0
    later = [stage for stage in stages if stage > analysed]
    t = _simulate_bounds(values, tests, [stage - analysed for stage in later])
    by_role = {role: _role_reached(verdict, tests, role, level, tuple(stages), later, t) for role in ROLES}
    decided = by_role["supports"] != by_role["contradicts"]
    chances = np.logical_or.accumulate(decided, axis=1).mean(axis=0)
    return np.concatenate([np.zeros(len(stages) - len(later)), chances])


def assume_decision(study: ResolvedExperiment, index: int, stages: Sequence[int]) -> Floats:
    """Return the chance that a contrast is decided at or before each stage at :data:`ASSUMED_EFFECT`."""
    level = study.experiment.contrasts[index].smallest_share * study.experiment.level / study.verdict_count
    return chance_to_reject(ASSUMED_EFFECT, level, tuple(stages))


def _simulate_bounds(
    values: Floats, tests: Sequence[EffectTest], added: Sequence[int]
) -> dict[tuple[int, Bound], Floats]:
    """Return simulated t statistics (runs, later stages) of each test and bound.

    Args:
        values: The recorded differences (pairs, tests).
        added: Pairs that each later stage has more than there are now.
    """
    random = np.random.default_rng(20)
    n, mean = len(values), values.mean(axis=0)
    centred = (values - mean) / math.sqrt(n - 1)
    sd = np.sqrt((centred**2).sum(axis=0))

    def draw(count: int) -> Floats:
        """Draw vectors with the covariance of the differences."""
        return np.asarray(random.standard_normal((count, n)) @ centred)

    truth = mean + draw(RUNS) / math.sqrt(n)
    sums, so_far, statistics = n * mean + np.zeros_like(truth), 0, []
    for extra in added:
        step = extra - so_far
        sums, so_far = sums + step * truth + math.sqrt(step) * draw(RUNS), extra
        statistics.append((sums / (n + extra), sd / math.sqrt(n + extra)))
    bounds: dict[tuple[int, Bound], Floats] = {}
    for index, test in enumerate(tests):
        for bound in test.p:
            columns = [
                distance_beyond(bound, means[:, index]) / max(float(errors[index]), 1e-12)
                for means, errors in statistics
            ]
            if test.is_limited_by_images(bound):
                columns = [np.full(RUNS, -math.inf) for _ in statistics]
            bounds[index, bound] = np.stack(columns, axis=1)
    return bounds


def _role_reached(
    verdict: Verdict,
    tests: Sequence[EffectTest],
    role: Role,
    level: float,
    stages: tuple[int, ...],
    later: Sequence[int],
    t: dict[tuple[int, Bound], Floats],
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return in which simulated runs (runs, later stages) a contrast is supported, or contradicted."""
    numbers = {id(test): number for number, test in enumerate(tests)}
    by_component = []
    for component in verdict.components:
        reached = np.zeros((RUNS, len(later)), dtype=bool)
        for outcome in [result.outcome for result in component.outcomes if result.outcome.role == role]:
            boundaries = np.array(stage_boundaries(level * outcome.share, stages)[-len(later) :])
            passes = [
                np.logical_or.accumulate(t[numbers[id(test)], bound] >= boundaries, axis=1)
                for test in component.tests
                for bound in outcome.bounds
            ]
            reached |= np.logical_and.reduce(passes)
        by_component.append(reached)
    join = np.logical_and if role == "supports" else np.logical_or
    return np.asarray(join.reduce(by_component), dtype=bool)
