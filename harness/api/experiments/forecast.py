"""The plan of an adaptive experiment: its next stage, and what the experiment may still cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.api.experiments.decide_stage import analyse_stage, build_decide_stage

if TYPE_CHECKING:
    from harness.experiments.planning.plan import Plan
    from harness.experiments.planning.stage_forecast import Chances
    from harness.experiments.stages import StageRun
    from harness.tracking.record import Record


def plan_stage(plan: Plan, record: Record) -> Plan:
    """Return the part of a plan that the next stage needs, with a forecast. Writes nothing.

    Args:
        plan: The plan of all trials of an adaptive experiment.
    """
    from harness.experiments.planning.stage_trials import forecast_stages, restrict_plan
    from harness.experiments.stages import StageRun

    stages = StageRun(build_decide_stage(record, writes=False), archived=record.read_superseded_trials())
    staged, decide = stages.next_plan(plan), plan.study.experiment.decide
    assert decide is not None
    if staged is None:
        last = stages.decision.stage if stages.decision is not None else decide.first
        staged = restrict_plan(plan, last, (), stages.decision)
        staged = replace(staged, trials=tuple(p for p in staged.trials if p.status.is_complete))
    chances, assumption = _predict(plan, record, stages)
    end = "" if stages.end is None else stages.end.text
    return replace(staged, forecast=forecast_stages(plan, staged, chances, assumption, end))


def _predict(plan: Plan, record: Record, stages: StageRun) -> tuple[Chances, str]:
    """Return the chance that each open contrast is decided at each stage, and what it assumes."""
    from harness.reporting.stages.futility import predict_open
    from harness.reporting.stages.prediction import ASSUMED_EFFECT, assume_decision

    study = plan.study
    decide = study.experiment.decide
    assert decide is not None
    open_contrasts = stages.open or frozenset()
    if stages.decision is None:
        assumption = (
            f"assumes that the weakest effect of each contrast is {ASSUMED_EFFECT:g} standard deviation beyond its "
            "bound, and that contrasts are independent"
        )
        return {index: assume_decision(study, index, decide.stages).tolist() for index in open_contrasts}, assumption
    _, verdicts = analyse_stage(study, record, stages.decision.stage)
    decided = sum(verdict.state != "undecided" for verdict in verdicts)
    chances = {}
    for index in open_contrasts:
        predicted = predict_open(verdicts[index], study, decided)
        chances[index] = (predicted if predicted is not None else assume_decision(study, index, decide.stages)).tolist()
    return chances, (
        f"follows from the effects and the spread of the first {stages.decision.stage} seeds; contrasts count as "
        "independent"
    )
