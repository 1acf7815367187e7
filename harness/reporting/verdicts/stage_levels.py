"""The declared stages at which contrasts are analysed, the level of each, and which of them a record has reached."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from harness.reporting.statistics.stage_test import spent_levels
from harness.specs import ResolvedExperiment
from harness.specs.adaptive.analysed_stages import last_analysed_stage


@dataclass(frozen=True)
class StagePlan:
    """When the contrasts of an experiment are analysed.

    Attributes:
        kind: ``fixed`` (once, over all seeds), ``looks`` (each look has an equal share of the level) or ``decide``
            (the stages spend the level by the function of Lan and DeMets).
        stages: Numbers of declared seeds, rising.
    """

    kind: Literal["fixed", "looks", "decide"]
    stages: tuple[int, ...]

    def levels(self, level: float) -> tuple[float, ...]:
        """Return the level of each stage: its own in a fixed design and at looks, and the spent one with decide."""
        if self.kind == "decide":
            return spent_levels(level, self.stages)
        return tuple(level / len(self.stages) for _ in self.stages)

    @property
    def most(self) -> int:
        """Seeds of the last stage."""
        return self.stages[-1]


def plan_stages(study: ResolvedExperiment) -> StagePlan:
    """Return the declared stages of an experiment; a fixed design has one, with all its seeds."""
    if study.experiment.decide is not None:
        return StagePlan("decide", study.experiment.decide.stages)
    if study.experiment.looks:
        return StagePlan("looks", study.experiment.looks)
    return StagePlan("fixed", (len(study.experiment.seeds),))


def reached_stages(
    plan: StagePlan, study: ResolvedExperiment, names: Collection[str], final: pd.DataFrame, last: int | None = None
) -> tuple[int, ...]:
    """Return the stages that the record of some variants has reached.

    A stage is reached if all its trials are recorded. Trials may be lost for good, so it is also reached if every
    variant has a trial of a later stage, and if the record holds an analysis of it.

    Args:
        names: Names of the compared variants.
        final: The last epoch of every trial, one row each.
        last: The stage that has just ended; later ones are left out. None: all that the record holds.
    """
    seeds = study.experiment.seeds
    stages = [stage for stage in plan.stages if stage <= (len(seeds) if last is None else last)]
    if plan.kind == "fixed":
        return tuple(stages)
    order = {seed: index for index, seed in enumerate(seeds)}
    recorded = {name: {order[s] for s in final["seed"][final["variant"] == name] if s in order} for name in names}
    furthest = min(max(indices, default=-1) for indices in recorded.values())
    ended = last or (len(seeds) if plan.kind == "looks" else last_analysed_stage(study) if study.analyses else 0)

    def is_reached(stage: int) -> bool:
        is_complete = all(set(range(stage)) <= indices for indices in recorded.values())
        earlier = max((other for other in plan.stages if other < stage), default=0)
        return is_complete or furthest >= stage or (stage <= ended and furthest >= earlier)

    return tuple(stage for stage in stages if is_reached(stage))
