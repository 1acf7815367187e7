"""One component of a contrast: an effect, its possible outcomes, and its test in every metric that must agree."""

from __future__ import annotations

from dataclasses import dataclass

from harness.reporting.verdicts.effect_tests import EffectTest
from harness.reporting.verdicts.outcomes import OutcomeResult


@dataclass(frozen=True)
class Component:
    """One effect that a verdict rests on.

    Attributes:
        name: ``plain``, ``residual``, ``interaction``, ``difference``, or the name of another kind of contrast.
        label: The effect, such as ``plain, depth 32 − depth 8``.
        outcomes: Its possible outcomes, the claimed ones first. At most one is reached.
        smallest_effect: Smallest effect of interest, in percentage points.
        tests: One for each metric. An outcome holds only if it holds in all of them.
    """

    name: str
    label: str
    outcomes: tuple[OutcomeResult, ...]
    smallest_effect: float
    tests: tuple[EffectTest, ...]

    @property
    def reached_outcome(self) -> OutcomeResult | None:
        """The outcome that was reached; None where the component is undecided."""
        return next((result for result in self.outcomes if result.reached), None)

    @property
    def shown_outcome(self) -> OutcomeResult:
        """The outcome that was reached, else the claimed one with the smallest p."""
        claimed = [result for result in self.outcomes if result.outcome.role == "supports"]
        return self.reached_outcome or min(claimed, key=lambda r: (1.0 if r.p is None else r.p) / r.outcome.share)

    @property
    def weakest_test(self) -> EffectTest:
        """The test that shows :attr:`shown_outcome` least: by fewer pairs, the larger p, then the weaker effect."""
        bounds = self.shown_outcome.outcome.bounds

        def strength(test: EffectTest) -> tuple[float, float, float]:
            effect = test.effect or 0.0
            margins = [value - effect if side == "less" else effect - value for side, value in bounds]
            return test.n, -max(test.p.get(bound, 1.0) for bound in bounds), min(margins)

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
        ps = [result.p for result in self.outcomes if result.outcome.role == "supports"]
        return None if any(p is None for p in ps) else min(1.0, len(ps) * min(p for p in ps if p is not None))

    @property
    def is_two_sided(self) -> bool:
        """Whether an effect on either side supports the contrast."""
        return sum(result.outcome.role == "supports" for result in self.outcomes) > 1

    @property
    def robust_p(self) -> float | None:
        """Largest p of the robust test for :attr:`shown_outcome`; None where no long tail points away from it."""
        bounds = self.shown_outcome.outcome.bounds
        return max(
            (test.robust_p[bound] for test in self.tests for bound in bounds if bound in test.robust_p), default=None
        )

    @property
    def is_limited_by_images(self) -> bool:
        """Whether a claimed outcome fails in a test error that is equal in all seeds: only more images would help."""
        return any(
            test.is_limited_by_images(bound)
            for result in self.outcomes
            if result.outcome.role == "supports"
            for bound in result.outcome.bounds
            for test in self.tests
        )

    @property
    def claim(self) -> str:
        """The claim about the effect, such as ``> 0.5``."""
        claimed = [result.outcome for result in self.outcomes if result.outcome.role == "supports"]
        side, value = claimed[0].bounds[0]
        sign = "≠" if len(claimed) > 1 else {"less": "<", "greater": ">"}.get(side, "≠")
        return f"{sign} {value:g}"
