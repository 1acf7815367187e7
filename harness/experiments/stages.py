"""The stages of an adaptive experiment: it trains seeds until its contrasts are decided.

A stage is analysed once all of its trials have ended. The decision depends on the recorded trials of the first seeds
alone, so that a run which was interrupted anywhere makes the same decisions as one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import timedelta

from harness.experiments.planning.plan import Plan
from harness.experiments.planning.stage_trials import gains_pair, restrict_plan
from harness.experiments.run_result import RunResult, StageEnd
from harness.specs.adaptive.analysed_stages import last_analysed_stage
from harness.specs.adaptive.stage_decision import AnalyseStage, StageDecision


class StageRun:
    """One run's way through the stages of an adaptive experiment.

    Args:
        decide_stage: Analyses a stage, and records the analysis.
        deadline: When no further stage starts, as a time of :func:`time.monotonic`; None for no deadline.
        show: Receives each decision.
        archived: Ids of trials that were taken out of the record; None where all trials are trained again.

    Attributes:
        decision: The last decision; None before the first stage is analysed.
        end: Why no further stage follows; None while one may.
        open: Indices of the contrasts for which this run trains further stages; None before its first plan.
    """

    def __init__(
        self,
        decide_stage: AnalyseStage,
        deadline: float | None = None,
        show: Callable[[StageDecision], None] = lambda decision: None,
        archived: Collection[str] | None = (),
    ) -> None:
        self.decide_stage, self.deadline, self.show = decide_stage, deadline, show
        self.decision: StageDecision | None = None
        self.end: StageEnd | None = None
        self.open: frozenset[int] | None = None
        self._archived, self._lost = archived, set[str]()

    def next_plan(self, plan: Plan) -> Plan | None:
        """Return the part of a new plan that the next stage needs; None if no further stage follows.

        Stages whose trials have all ended are analysed on the way.

        Args:
            plan: The plan of all trials of the experiment, as the record is now.
        """
        decide = plan.study.experiment.decide
        assert decide is not None
        if self.end is not None:
            return None
        if self.open is None:
            self.open = frozenset(range(len(plan.study.experiment.contrasts)))
            self._lost = _lost_trials(plan, self._archived) if self._archived is not None else set()
        for stage in decide.stages:
            if self.decision is not None and stage <= self.decision.stage:
                continue
            staged = restrict_plan(plan, stage, self.open, self.decision, self._lost)
            if any(not planned.status.is_complete for planned in staged.trials):
                return staged if self._is_in_time(staged) else None
            self._analyse(plan, stage)
            if not self.open:
                return None
        self.end = StageEnd("most", f"No decision with the {decide.most} seeds that are the most.")
        return None

    def add_result(self, plan: Plan, result: RunResult) -> None:
        """Keep which trials of a stage failed. This run does not train them again, so they cannot block their stage."""
        self._lost |= {planned.trial.id for planned in plan.trials if planned.trial.label in result.failed}

    def _analyse(self, plan: Plan, stage: int) -> None:
        """Analyse a stage, and keep which contrasts are open after it.

        A contrast that has gained no pair waits for the next run, because its next stage would hardly gain one either.
        """
        assert self.open is not None
        blocked = {index for index in self.open if not gains_pair(plan, index, stage)}
        if blocked == self.open:
            self.open = frozenset()
            self.end = StageEnd("failed", f"No seed of the stage of {stage} seeds was trained in every variant.")
            return
        self.decision = self.decide_stage(plan.study, stage)
        self.show(self.decision)
        self.open = (self.open & self.decision.open) - blocked
        if not self.open:
            self.end = _describe_end(self.decision, bool(blocked))

    def _is_in_time(self, staged: Plan) -> bool:
        """Return whether a stage may start: with recorded trials only if it would end before the deadline."""
        if self.deadline is None:
            return True
        left = self.deadline - time.monotonic()
        needed = staged.seconds if staged.recorded else 0.0
        if left > needed:
            return True
        assert staged.stage is not None
        trials = len(staged.to_run)
        self.end = StageEnd(
            "budget",
            f"The budget is used up: {staged.stage} needs {trials} more trial{'s' * (trials != 1)}, about "
            f"{timedelta(seconds=round(staged.seconds))}, and {timedelta(seconds=max(round(left), 0))} is left.",
        )
        return False


def _describe_end(decision: StageDecision, is_blocked: bool) -> StageEnd:
    """Return why an experiment without open contrasts is at its end."""
    if is_blocked:
        return StageEnd("failed", "The contrasts that are still open gained no pair, because their trials failed.")
    futile = sum(bool(contrast.futile) for contrast in decision.contrasts)
    if futile:
        return StageEnd("futile", f"{futile} of {len(decision.contrasts)} contrasts would hardly be decided.")
    return StageEnd("decided", f"Every contrast is decided with {decision.stage} seeds.")


def _lost_trials(plan: Plan, archived: Collection[str]) -> set[str]:
    """Return the trials that failed in a stage which an earlier run analysed.

    They stay lost, so that the stage has the same pairs when it is analysed again. A trial that a user archived is
    trained again.
    """
    seeds = set(plan.study.experiment.seeds[: last_analysed_stage(plan.study)])
    return {
        p.trial.id for p in plan.trials if p.trial.seed in seeds and p.needs_training and p.trial.id not in archived
    }
