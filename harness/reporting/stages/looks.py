"""The estimate of every component after each stage, and the corrected one after the stage that decided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.reporting.statistics.stage_estimate import StageEstimate, estimate_at_stop, estimate_naively
from harness.reporting.statistics.stage_test import spent_levels
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import ResolvedExperiment


@dataclass(frozen=True)
class ComponentLooks:
    """The estimates of one component in its weakest error.

    Attributes:
        contrast: Index of its contrast.
        label: The effect, such as ``plain, depth 32 − depth 8``.
        metric: Key of the error in which the component is shown least.
        bounds: Values that its outcomes are tested against.
        naive: Mean and t interval after each analysed stage, up to the one that decided.
        at_stop: The estimate after that stage, corrected for stopping early if that is possible; None where the
            contrast is not decided.
    """

    contrast: int
    label: str
    metric: str
    bounds: tuple[float, ...]
    naive: tuple[StageEstimate, ...]
    at_stop: StageEstimate | None


def declared_stages(verdicts: Sequence[Verdict]) -> tuple[int, ...]:
    """Return the declared stages of an adaptive experiment; empty without stages."""
    return next((verdict.stage.stages for verdict in verdicts if verdict.stage is not None), ())


def list_looks(study: ResolvedExperiment, verdicts: Sequence[Verdict]) -> list[ComponentLooks]:
    """Return the estimates of every component of every contrast over the analysed stages of an adaptive experiment.

    A time to target has an order of pairs, and no effect in percentage points.
    """
    if study.experiment.decide is None:
        return []
    return [
        _build_looks(study, index, verdict, component)
        for index, verdict in enumerate(verdicts)
        if verdict.stage is not None and verdict.kind != "time_to_target"
        for component in verdict.components
    ]


def _build_looks(study: ResolvedExperiment, index: int, verdict: Verdict, component: Component) -> ComponentLooks:
    assert verdict.stage is not None
    stages, decided = verdict.stage.stages, verdict.stage.decided_at
    last = decided or max(verdict.stage.analysed, default=0)
    analysed = [stage for stage in verdict.stage.analysed if stage <= last]
    test = component.weakest_test
    values = [test.differences.get(seed, math.nan) for seed in study.experiment.seeds[:last]]
    reached = component.reached_outcome
    at_stop = None
    if decided is not None and reached is not None:
        # Of an outcome between two bounds, the nearer one decides.
        effect = test.effect or 0.0
        side, shift = min(reached.outcome.bounds, key=lambda bound: abs(bound[1] - effect))
        level = reached.outcome.share * verdict.stage.level
        at_stop = estimate_at_stop(values, side, shift, stages, spent_levels(level, stages))
    bounds = tuple(sorted({value for result in component.outcomes for _, value in result.outcome.bounds}))
    return ComponentLooks(
        index, component.label, test.metric, bounds, tuple(estimate_naively(values, analysed)), at_stop
    )
