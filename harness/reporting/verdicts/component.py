"""One component of a contrast: an effect, its possible outcomes, and its test in every metric that must agree."""

from __future__ import annotations

from dataclasses import dataclass

from harness.reporting.verdicts.effect_tests import EffectTest
from harness.reporting.verdicts.outcomes import Outcome, OutcomeResult, distance_beyond


@dataclass(frozen=True)
class Component:
    """One effect that a verdict rests on.

    Attributes:
        name: ``plain``, ``residual``, ``interaction``, ``difference``, or the name of another kind of contrast.
        label: The effect, such as ``plain, depth 32 − depth 8``.
        outcomes: Its possible outcomes, the claimed ones first. At most one is reached.
        smallest_effect: Smallest effect of interest, in percentage points.
        tests: One for each metric. An outcome holds only if it holds in all of them.
        variants: Names of the variants whose values make up the effect.
        untrainable: Those of them that are untrainable under this recipe. With one of them the effect says nothing, so
            no outcome is reached, whatever the tests say.
    """

    name: str
    label: str
    outcomes: tuple[OutcomeResult, ...]
    smallest_effect: float
    tests: tuple[EffectTest, ...]
    variants: tuple[str, ...] = ()
    untrainable: tuple[str, ...] = ()

    @property
    def reached_outcome(self) -> OutcomeResult | None:
        """The outcome that was reached; None where the component is undecided or rests on an untrainable variant."""
        return None if self.untrainable else next((result for result in self.outcomes if result.reached), None)

    @property
    def outcome_name(self) -> str:
        """The name of the outcome that was reached; else ``untrainable`` or ``undecided``."""
        reached = self.reached_outcome
        return reached.outcome.name if reached else "untrainable" if self.untrainable else "undecided"

    @property
    def contradicts(self) -> bool:
        """Whether an outcome was reached that excludes the claim."""
        return self.reached_outcome is not None and self.reached_outcome.outcome.role == "contradicts"

    @property
    def claimed_outcomes(self) -> list[OutcomeResult]:
        """The outcomes that support the contrast: two where either side is claimed, else one."""
        return [result for result in self.outcomes if result.outcome.role == "supports"]

    @property
    def shown_outcome(self) -> OutcomeResult:
        """The outcome that was reached, else the claimed one with the smallest p."""
        return self.reached_outcome or min(
            self.claimed_outcomes, key=lambda r: (1.0 if r.p is None else r.p) / r.outcome.share
        )

    @property
    def weakest_test(self) -> EffectTest:
        """The test that shows :attr:`shown_outcome` least: by fewer pairs, the larger p, then the weaker effect."""
        bounds = self.shown_outcome.outcome.bounds

        def strength(test: EffectTest) -> tuple[float, float, float]:
            distances = [distance_beyond(bound, test.effect or 0.0) for bound in bounds]
            return test.n, -max(test.p.get(bound, 1.0) for bound in bounds), min(distances)

        return min(self.tests, key=strength)

    @property
    def n(self) -> int:
        """Pairs of the test that has fewest."""
        return min(test.n for test in self.tests)

    @property
    def p(self) -> float | None:
        """Largest p of the tests of :attr:`shown_outcome`; None below 8 pairs."""
        return self.shown_outcome.p

    @property
    def claimed_p(self) -> float | None:
        """p of the claim, two-sided where either side is claimed; None below 8 pairs."""
        ps = [result.p for result in self.claimed_outcomes]
        return None if any(p is None for p in ps) else min(1.0, len(ps) * min(p for p in ps if p is not None))

    @property
    def is_two_sided(self) -> bool:
        """Whether an effect on either side supports the contrast."""
        return len(self.claimed_outcomes) > 1

    @property
    def robust_p(self) -> float | None:
        """Largest p of the robust test for :attr:`shown_outcome`; None where no long tail points away from it."""
        return self.robust_p_of(self.shown_outcome.outcome)

    def robust_p_of(self, outcome: Outcome) -> float | None:
        """Return the largest p of the robust test of an outcome; None where no long tail points away from it."""
        ps = [test.robust_p[bound] for test in self.tests for bound in outcome.bounds if bound in test.robust_p]
        return max(ps, default=None)

    @property
    def is_limited_by_images(self) -> bool:
        """Whether a claimed outcome fails in a test error that is equal in all seeds: only more images would help."""
        return any(
            test.is_limited_by_images(bound)
            for result in self.claimed_outcomes
            for bound in result.outcome.bounds
            for test in self.tests
        )
