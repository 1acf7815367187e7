"""The driver of a run: it plans, launches and settles until every trial of the experiment is in the record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from rich.console import Console

from harness.errors import HarnessError
from harness.experiments.launcher_setup import start_launcher
from harness.experiments.plan_run import PlanRun
from harness.experiments.planning.plan import Plan, plan_experiment
from harness.experiments.preflight import Preflight
from harness.experiments.progress_display import ProgressDisplay
from harness.experiments.record_sync import archive_trials
from harness.experiments.run_context import RunContext
from harness.experiments.run_result import RunResult
from harness.experiments.stages import StageRun
from harness.launchers.stop_request import StopRequest
from harness.settings import Settings
from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.lock import ExperimentLock


def run_experiment(
    checked: Preflight,
    settings: Settings,
    console: Console,
    stop: StopRequest,
    force: bool = False,
    announce: Callable[[Plan], None] = lambda plan: None,
    stages: StageRun | None = None,
) -> RunResult:
    """Hold the experiment's lock, and plan, launch and settle until every trial of the experiment is in the record.

    An experiment with a search needs several plans: each plan contains the trials that the results so far determine.
    So does an adaptive experiment: each plan contains the trials of one stage.

    Args:
        checked: The result of the checks before the run.
        announce: Receives each plan before it is launched.
        stages: Chooses the stages of an adaptive experiment; None for any other experiment.

    Raises:
        HarnessError: Another process holds the experiment's lock, or something prevents the run.
    """
    study, record, storage = checked.plan.study, checked.record, checked.storage
    record.create_experiment(study)
    lock = ExperimentLock(
        record, f"harness run {study.experiment.name}", lambda holder: stop.request(holder, lost_lock=True)
    )
    context = RunContext(record, storage, settings, console, stop, lock, force)
    result, planned, last_study = RunResult(), set[str](), None
    with lock.hold(), ExitStack() as launchers:
        if stages is not None:
            return _run_stages(study, stages, context, launchers, announce)
        while True:
            # Before this process held the lock, another driver may have trained trials of the plan that was checked.
            record.refresh_runs()
            plan = plan_experiment(study, record, storage, settings, force, planned)
            if plan.study == last_study:
                break
            announce(plan)
            result = result.followed_by(run_plan(plan, context, launchers))
            last_study, planned = plan.study, planned | {trial.trial.id for trial in plan.trials}
            if result.is_incomplete or study.experiment.tune is None:
                break
    return result


def _run_stages(
    study: ResolvedExperiment,
    stages: StageRun,
    context: RunContext,
    launchers: ExitStack,
    announce: Callable[[Plan], None],
) -> RunResult:
    """Run the stages of an adaptive experiment until no further one follows. A failed trial does not end its stage."""
    record, storage = context.record, context.storage
    result, planned, has_run = RunResult(), set[str](), False
    while True:
        record.refresh_runs()
        plan = plan_experiment(study, record, storage, context.settings, context.force, planned)
        staged = stages.next_plan(plan)
        if staged is None and has_run:
            break
        # A run that finds no stage to train still publishes and settles what earlier runs left.
        staged = staged or replace(plan, trials=tuple(p for p in plan.trials if p.status.is_complete))
        announce(staged)
        part, has_run = run_plan(staged, context, launchers), True
        result = result.followed_by(part)
        planned |= {trial.trial.id for trial in staged.trials}
        stages.add_result(staged, part)
        if stages.end is not None or part.interrupted or part.store_error:
            break
    needed = {trial.trial.label for trial in plan.trials if trial.trial.id in planned}
    unplanned = tuple(trial.trial.label for trial in plan.trials if trial.trial.label not in needed)
    return replace(result, unplanned=unplanned, stage_end=stages.end, decision=stages.decision)


def run_plan(plan: Plan, context: RunContext, launchers: ExitStack) -> RunResult:
    """Start the launcher of a plan, archive what is trained again, then launch the trials and settle the record.

    Nothing is archived or created before the launcher has started.

    Args:
        launchers: Closes the launcher at the end of the run, so that the next plan finds its Ray cluster started.

    Raises:
        HarnessError: The launcher or the store is not usable, or another process took the experiment over.
    """
    launcher, plan = start_launcher(plan, context, launchers)
    if context.force:
        new = [planned.trial.id for planned in plan.trials if planned.status == TrialStatus.NEW]
        archive_trials(new, context.record, context.storage, "trained again")
    with ProgressDisplay(plan, context.console) as display:
        context.lock.require_held()
        context.stop.resume()
        result = PlanRun(plan, context, display).run(launcher)
    if context.stop.lost_lock:
        raise HarnessError(
            context.lock.loss, where="the lock", remedy="Checkpoints are written. Run the experiment again later."
        )
    return result
