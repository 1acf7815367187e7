"""The test of one effect between variants in one metric, over the pairs of seeds that both sides have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.reporting.statistics.comparisons import Comparison
from harness.reporting.verdicts.outcomes import Bound


@dataclass(frozen=True)
class EffectTest:
    """One effect A - B in one metric, with a p for each bound that an outcome puts on it.

    The p values are those at the stage that decides; the estimate is over all recorded pairs.

    Attributes:
        metric: Key of the metric, such as ``test/error``.
        comparison: The estimated effect over all pairs; None where there is no pair.
        low: Lower end of the 95 % interval that a report shows; None below 5 pairs and where no interval holds.
        high: Upper end of that interval.
        over_images: Whether that interval is the exact one over test images, because all seeds have the same error.
        differences: A - B by seed, in the declared order of seeds.
        p: p of each bound by the sign-flip test; empty below 8 pairs.
        robust_p: p of each bound by the robust test; empty where the differences are symmetric.
        is_symmetric: Whether the declared check finds no skew in the differences.
    """

    metric: str
    comparison: Comparison | None
    low: float | None
    high: float | None
    over_images: bool
    differences: Mapping[int, float] = field(default_factory=dict)
    p: Mapping[Bound, float] = field(default_factory=dict)
    robust_p: Mapping[Bound, float] = field(default_factory=dict)
    is_symmetric: bool = True

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.differences)

    @property
    def effect(self) -> float | None:
        """The estimated A - B; None where there is no pair."""
        return self.comparison.effect if self.comparison else None
