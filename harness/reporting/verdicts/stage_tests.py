"""The stage at which an outcome of a contrast is reached, at a given level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from harness.reporting.statistics.intervals import Floats
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.reporting.statistics.skew import is_skewed_against, robust_p_value
from harness.reporting.statistics.stage_test import first_rejection
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import EffectTest
from harness.reporting.verdicts.outcomes import Bound, Outcome, OutcomeResult, Role
from harness.reporting.verdicts.stage_levels import StagePlan
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS


@dataclass(frozen=True)
class ContrastTests:
    """The components of one contrast, and the stages at which they are tested.

    Attributes:
        components: Its components; their outcomes are open.
        plan: The declared stages.
        reached: Those that the record has reached, rising.
        seeds: The declared seeds, in their declared order.
    """

    components: tuple[Component, ...]
    plan: StagePlan
    reached: tuple[int, ...]
    seeds: tuple[int, ...]

    def reached_at(self, role: Role, level: float) -> int | None:
        """Return the first stage at which the contrast is supported (or contradicted) at ``level``, or None.

        It is supported if every component has reached a claimed outcome (an intersection-union test, so each part has
        the whole level), and contradicted if one component has reached another one. The ways to do so share the level.
        """
        by_component = [
            [
                self.outcome_reached_at(component, result.outcome, level)
                for result in component.outcomes
                if result.outcome.role == role
            ]
            for component in self.components
        ]
        if role == "contradicts":
            stage, testable = _earliest(stage for stages in by_component for stage in stages), self._first_testable()
            return None if stage is None or testable is None else max(stage, testable)
        firsts = [_earliest(stages) for stages in by_component]
        return None if any(first is None for first in firsts) else max(first for first in firsts if first is not None)

    def _first_testable(self) -> int | None:
        """Return the first reached stage at which every component has 8 pairs, or None: without, nothing is claimed."""
        stages = (s for s in self.reached if all(self.count_pairs(c, s) >= SEEDS_FOR_CLAIMS for c in self.components))
        return next(stages, None)

    def outcome_reached_at(self, component: Component, outcome: Outcome, level: float) -> int | None:
        """Return the first stage at which all tests of an outcome have rejected, or None.

        Args:
            level: Level of the contrast; each test has the outcome's share of it.
        """
        stages = [
            self._confirmed_at(test, bound, level * outcome.share)
            for test in component.tests
            for bound in outcome.bounds
        ]
        return None if any(stage is None for stage in stages) else max(s for s in stages if s is not None)

    def _confirmed_at(self, test: EffectTest, bound: Bound, level: float) -> int | None:
        """Return the first stage at which a test has rejected and the robust test does not disagree, or None."""
        if test.is_limited_by_images(bound):
            return None
        values = self.differences(test)
        levels = dict(zip(self.plan.stages, self.plan.levels(level), strict=True))
        first = _first_rejection(values, bound, self.plan, self.reached, level)
        if first is None:
            return None
        for stage in self.reached:
            if stage >= first and (test.is_order or _is_confirmed(values[:stage], bound, levels[stage])):
                return stage
        return None

    def differences(self, test: EffectTest) -> tuple[float, ...]:
        """Return the differences up to the last reached stage, one per declared seed; NaN where a pair is lost."""
        count = self.reached[-1] if self.reached else 0
        return tuple(test.differences.get(seed, math.nan) for seed in self.seeds[:count])

    def count_pairs(self, component: Component, stage: int | None) -> int:
        """Return the pairs up to ``stage`` of the test that has fewest; all pairs if no stage was reached."""
        if stage is None:
            return component.n
        return min(_pairs(self.differences(test)[:stage]).size for test in component.tests)

    def with_results(self, stage: int | None, levels: Mapping[Role, float]) -> tuple[Component, ...]:
        """Return the components with the results of all outcomes at ``stage``.

        Args:
            stage: The stage that decides, or the last one reached; None where no stage was reached.
            levels: The level of the contrast for the claimed and for the other outcomes.
        """
        return tuple(self._complete(component, stage, levels) for component in self.components)

    def _complete(self, component: Component, stage: int | None, levels: Mapping[Role, float]) -> Component:
        bounds = {bound for result in component.outcomes for bound in result.outcome.bounds}
        tests = tuple(self._with_p_values(test, bounds, stage) for test in component.tests)
        results = []
        for result in component.outcomes:
            outcome = result.outcome
            at = self.outcome_reached_at(component, outcome, levels[outcome.role])
            at = None if at is None or stage is None or at > stage else at
            p = _largest([test.p.get(bound) for test in tests for bound in outcome.bounds])
            results.append(OutcomeResult(outcome, p, at is not None, at))
        return replace(component, tests=tests, outcomes=tuple(results))

    def _with_p_values(self, test: EffectTest, bounds: set[Bound], stage: int | None) -> EffectTest:
        """Return the test with p of each bound, and where the differences are skewed p of the robust test."""
        pairs = _pairs(self.differences(test)[: stage or 0])
        if pairs.size < SEEDS_FOR_CLAIMS:
            return test
        return replace(
            test,
            p={
                bound: 1.0 if test.is_limited_by_images(bound) else sign_flip_p_value(pairs, *bound) for bound in bounds
            },
            robust_p={
                bound: robust_p_value(pairs, *bound)
                for bound in bounds
                if not test.is_order and is_skewed_against(pairs, bound[0])
            },
        )


def _earliest(stages: Iterable[int | None]) -> int | None:
    return min((stage for stage in stages if stage is not None), default=None)


def _largest(ps: Sequence[float | None]) -> float | None:
    return None if any(p is None for p in ps) else max(p for p in ps if p is not None)


def _pairs(values: Sequence[float]) -> Floats:
    """Return the differences without those that were lost."""
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def _is_confirmed(values: Sequence[float], bound: Bound, level: float) -> bool:
    """Return whether no long tail points away from the bound, or the robust test of it passes ``level`` too."""
    pairs = _pairs(values)
    return not is_skewed_against(pairs, bound[0]) or robust_p_value(pairs, *bound) <= level


@lru_cache(maxsize=4096)
def _first_rejection(
    values: tuple[float, ...], bound: Bound, plan: StagePlan, reached: tuple[int, ...], level: float
) -> int | None:
    """Return the first reached stage at which the test of ``bound`` rejects, or None. Below 8 pairs none does."""
    counts = {stage: _pairs(values[:stage]).size for stage in reached}
    levels = [
        (stage, stage_level)
        for stage, stage_level in zip(plan.stages, plan.levels(level), strict=True)
        if counts.get(stage, 0) >= SEEDS_FOR_CLAIMS
    ]
    if not levels:
        return None
    if plan.kind == "decide":
        stages, spent = [stage for stage, _ in levels], [stage_level for _, stage_level in levels]
        return first_rejection(values, *bound, stages, spent)
    for stage, stage_level in levels:
        if sign_flip_p_value(_pairs(values[:stage]), *bound) <= stage_level:
            return stage
    return None
