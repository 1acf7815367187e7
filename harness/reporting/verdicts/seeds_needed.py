"""The number of seeds that would decide a verdict as a whole, as a range over what the spread may be."""

from __future__ import annotations

from functools import lru_cache

from harness.reporting.statistics.sample_size import POWER, SeedsRange, seeds_needed
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import EffectTest
from harness.reporting.verdicts.outcomes import Bound, OutcomeResult
from harness.reporting.verdicts.verdict import SeedsNeeded


def count_seeds_needed(components: tuple[Component, ...], level: float) -> SeedsNeeded | None:
    """Return the seeds with which all tests of the claim reject, with a power of 0.8.

    An effect that is established keeps the size that was seen. Each other effect is assumed to lie the smallest effect
    of interest beyond its bound.

    Args:
        level: Level of the contrast after Holm's correction.

    Returns:
        None where more images are needed instead, where fewer than two seeds have all values, and where no smallest
        effect is declared.
    """
    if any(component.smallest_effect <= 0 for component in components):
        return None
    if any(component.is_limited_by_images for component in components if component.reached_outcome is None):
        return None
    tests = [test for component in components for test in component.tests]
    seeds = [seed for seed in tests[0].differences if all(seed in test.differences for test in tests)]
    if len(seeds) < 2:
        return None
    differences = tuple(tuple(test.differences[seed] for seed in seeds) for test in tests)
    distances, levels = [], []
    for component in components:
        result = _claimed(component)
        ((side, value),) = result.outcome.bounds
        for test in component.tests:
            seen = _distance(test, (side, value)) if component.reached_outcome is result else 0.0
            distances.append(max(seen, component.smallest_effect))
            levels.append(level * result.outcome.share)
    needed = _cached_seeds_needed(differences, tuple(distances), tuple(levels))
    effect = min(c.smallest_effect for c in components if c.reached_outcome is not _claimed(c))
    return SeedsNeeded(needed.low, needed.likely, needed.high, POWER, effect)


@lru_cache(maxsize=256)
def _cached_seeds_needed(
    differences: tuple[tuple[float, ...], ...], distances: tuple[float, ...], levels: tuple[float, ...]
) -> SeedsRange:
    # A report decides the same contrasts several times, and the simulation takes the better part of a second.
    return seeds_needed(differences, distances, levels)


def _claimed(component: Component) -> OutcomeResult:
    """Return the claimed outcome that was reached, or else the one that is nearer."""
    claimed = [result for result in component.outcomes if result.outcome.role == "supports"]
    return max(claimed, key=lambda r: (r.reached, min(_distance(t, r.outcome.bounds[0]) for t in component.tests)))


def _distance(test: EffectTest, bound: Bound) -> float:
    """Return how far the effect lies beyond a bound, in percentage points."""
    side, value = bound
    effect = test.effect or 0.0
    return value - effect if side == "less" else effect - value
