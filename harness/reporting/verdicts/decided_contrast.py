"""One contrast with the decision on it, and the p values of its claim and of the opposite."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.family_decision import Decision
from harness.reporting.verdicts.outcomes import OutcomeResult, Role
from harness.reporting.verdicts.stage_tests import ContrastTests
from harness.reporting.verdicts.verdict import StageSummary


@dataclass(frozen=True)
class DecidedContrast:
    """The tests of a contrast over its stages, and the decision that they lead to."""

    tests: ContrastTests
    decision: Decision

    @property
    def stage(self) -> int | None:
        """The stage whose p values are shown: the one that decides, or the last one reached."""
        return self.decision.stage if self.decision.stage is not None else max(self.tests.reached, default=None)

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """The components with the results of all outcomes at :attr:`stage`."""
        return self.tests.with_results(self.stage, self.decision.levels)

    @property
    def n(self) -> int:
        """Pairs at :attr:`stage` of the component that has fewest."""
        return min(self.tests.count_pairs(component, self.stage) for component in self.components)

    @property
    def p(self) -> float | None:
        """p of the claim: the largest p of its components; None where one has none."""
        ps = [component.claimed_p for component in self.components]
        return None if any(p is None for p in ps) else max(p for p in ps if p is not None)

    @property
    def level(self) -> float:
        """The level at which the contrast was decided, after Holm's correction; that of the claim if undecided."""
        return self.decision.levels["contradicts" if self.decision.state == "contradicted" else "supports"]

    def summarise_stages(self) -> StageSummary | None:
        """Return at which stage the contrast was decided, and at which level; None for a design without stages."""
        plan = self.tests.plan
        if plan.kind == "fixed":
            return None
        return StageSummary(plan.stages, self.tests.reached, self.decision.stage, plan.most, self.level)

    def scale_p_value(self, role: Role) -> float | None:
        """Return p for the whole level, each outcome's p divided by its share; None where one has no p.

        A claim needs every component, so its largest p counts; one component can contradict, so the smallest p counts.
        Where differences are skewed, the larger p of the two tests counts.
        """
        by_component = [
            [_scale(component, result) for result in component.outcomes if result.outcome.role == role]
            for component in self.components
        ]
        ps = [p for scaled in by_component for p in scaled]
        if not ps or any(p is None for p in ps):
            return None
        smallest = [min(p for p in scaled if p is not None) for scaled in by_component if scaled]
        return max(smallest) if role == "supports" else min(smallest)


def _scale(component: Component, result: OutcomeResult) -> float | None:
    if result.p is None:
        return None
    return max(result.p, component.robust_p_of(result.outcome) or 0.0) / result.outcome.share
