"""What an adaptive experiment may still cost: the least, the expected and the most trials and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.specs.adaptive.stage_decision import StageDecision

if TYPE_CHECKING:
    from harness.experiments.planning.plan import Plan

Chances = Mapping[int, Sequence[float]]
"""For each open contrast by its index, the chance that it is decided at or before each declared stage."""


@dataclass(frozen=True)
class Amount:
    """Trials that are left to train, and the seconds they take at the plan's concurrency."""

    trials: float
    seconds: float


@dataclass(frozen=True)
class StageForecast:
    """What an adaptive experiment may still cost.

    Attributes:
        least: If the next stage decides every contrast.
        expected: The mean over what may happen, under the assumption.
        most: If no further stage decides any contrast.
        assumption: What the expected amount assumes, in a sentence.
        stages: Declared numbers of seeds.
        ends: Chance that no further stage follows each of them, under the assumption.
        decision: The state of each contrast so far; None before the first stage is analysed.
        end: Why no further stage follows, in a sentence; empty while one does.
    """

    least: Amount
    expected: Amount
    most: Amount
    assumption: str
    stages: tuple[int, ...]
    ends: tuple[float, ...]
    decision: StageDecision | None = None
    end: str = ""


def forecast_stages(plan: Plan, staged: Plan, chances: Chances, assumption: str, end: str = "") -> StageForecast:
    """Return what the next stage and the later ones may cost.

    Args:
        plan: The plan of all trials.
        staged: Its part for the next stage.
        chances: Those of the contrasts that are open. They count as independent.
        end: Why no further stage follows; empty while one does.
    """
    assert staged.stage is not None
    stages, now = staged.stage.stages, staged.stage.number - 1
    if end:
        nothing = Amount(0, 0.0)
        return StageForecast(nothing, nothing, nothing, "", stages, (1.0,) * len(stages), staged.stage.decision, end)
    variants = {index: set(plan.study.contrast_variants[index].values()) for index in chances}
    present = {planned.trial.id for planned in staged.trials}
    least, expected, most = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    seeds = {seed: index for index, seed in enumerate(plan.study.experiment.seeds)}
    for planned in plan.trials:
        if not planned.needs_training:
            continue
        chance, possible = 1.0, True
        if planned.trial.id not in present:
            stage = next(k for k, n in enumerate(stages) if seeds[planned.trial.seed] < n)
            users = [index for index, names in variants.items() if planned.trial.variant.name in names]
            possible = bool(users) and stage > now
            chance = 1.0
            for index in users:
                chance *= chances[index][stage - 1]
            chance = 1.0 - chance if possible else 0.0
        for total, weight in ((least, planned.trial.id in present), (expected, chance), (most, possible)):
            total[0] += weight
            total[1] += weight * planned.seconds / plan.concurrency
    ends = [1.0] * len(stages)
    for k in range(len(stages)):
        for of_contrast in chances.values():
            ends[k] *= of_contrast[k]
    return StageForecast(
        Amount(*least), Amount(*expected), Amount(*most), assumption, stages, tuple(ends), staged.stage.decision
    )
