"""The trials of one stage of an adaptive experiment: those that its open contrasts need, and those that may follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from harness.experiments.planning.plan import Plan
from harness.experiments.planning.stage_forecast import Amount, Chances, StageForecast
from harness.specs import ResolvedExperiment
from harness.specs.adaptive.stage_decision import StageDecision, StagePosition


def restrict_plan(
    plan: Plan, stage: int, open_contrasts: Collection[int], decision: StageDecision | None, lost: Collection[str] = ()
) -> Plan:
    """Return the part of a plan that a stage needs.

    Args:
        stage: Number of declared seeds of the stage.
        open_contrasts: Indices of the contrasts that the stage is for.
        decision: What the stage before decided; None for the first one.
        lost: Ids of trials that failed and are not trained again.
    """
    needed = select_trials(plan.study, stage, open_contrasts)
    trials = tuple(p for p in plan.trials if p.trial.id in needed and (p.trial.id not in lost or p.status.is_complete))
    decide = plan.study.experiment.decide
    assert decide is not None
    return replace(plan, trials=trials, stage=StagePosition(stage, decide.stages, decision))


def select_trials(study: ResolvedExperiment, stage: int, open_contrasts: Collection[int]) -> set[str]:
    """Return the ids of all trials that a stage needs, those of earlier stages included.

    The first stage takes every variant. A later one takes the variants of the open contrasts only, so a variant
    without a contrast has the seeds of the first stage.
    """
    decide = study.experiment.decide
    assert decide is not None
    first, seeds = set(study.experiment.seeds[: decide.first]), set(study.experiment.seeds[:stage])
    names = {name for index in open_contrasts for name in study.contrast_variants[index].values()}
    later = {
        trial.id
        for view in study.views
        for trial in view.trials
        if trial.seed not in first and not (trial.variant.name in names and trial.seed in seeds)
    }
    return {trial.id for trial in study.all_trials} - later


def gains_pair(plan: Plan, contrast: int, stage: int) -> bool:
    """Return whether the record holds a pair of a contrast that only this stage and no earlier one has.

    A pair is one seed of every compared variant.
    """
    decide = plan.study.experiment.decide
    assert decide is not None
    earlier = max((n for n in decide.stages if n < stage), default=0)
    seeds = plan.study.experiment.seeds[earlier:stage]
    complete = {planned.trial.id for planned in plan.trials if planned.status.is_complete}
    for view in plan.study.views:
        names = set(view.contrast_variants[contrast].values())
        trials = [trial for trial in view.trials if trial.variant.name in names and trial.id in complete]
        pairs = Counter(trial.seed for trial in trials)
        if any(pairs[seed] == len(names) for seed in seeds):
            return True
    return False


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
