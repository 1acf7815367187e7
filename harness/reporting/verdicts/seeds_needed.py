"""The number of seeds that would decide a verdict as a whole, as a range over what the spread may be."""

from __future__ import annotations

from functools import lru_cache

from harness.reporting.statistics.sample_size import POWER, SeedsRange, seeds_needed
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import collect_common_differences
from harness.reporting.verdicts.outcomes import OutcomeResult, distance_beyond
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
    by_seed = collect_common_differences([test for component in components for test in component.tests])
    if len(by_seed) < 2:
        return None
    differences = tuple(map(tuple, by_seed.T.tolist()))
    distances, levels = [], []
    for component in components:
        result = _claimed(component)
        (bound,) = result.outcome.bounds
        for test in component.tests:
            seen = distance_beyond(bound, test.effect or 0.0) if component.reached_outcome is result else 0.0
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

    def distance(result: OutcomeResult) -> float:
        return min(distance_beyond(result.outcome.bounds[0], test.effect or 0.0) for test in component.tests)

    return max(component.claimed_outcomes, key=lambda result: (result.reached, distance(result)))
