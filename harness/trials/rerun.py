"""The rerun of one trial. The earlier training stays in the record until the rerun is complete; then it is archived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.execution.archive import RERUN_SUFFIX, archive_folder, archived_names
from harness.execution.attempts import read_attempts
from harness.execution.trial_group import TrialGroup
from harness.experiments.driver import run_plan
from harness.experiments.plan_run import PlanRun
from harness.experiments.planning.estimate import estimate_seconds
from harness.experiments.planning.plan import Plan
from harness.experiments.planning.planned_trial import PlannedTrial
from harness.experiments.record_sync import archive_trials
from harness.experiments.run_context import RunContext
from harness.experiments.run_result import RunResult
from harness.io.storage import Folder
from harness.io.storage_mark import MARK
from harness.launchers.base import ReportProgress
from harness.launchers.inline import launch
from harness.launchers.stop_request import StopRequest
from harness.specs import ResolvedExperiment, Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.history import History, find_ensemble_seeds
from harness.trials.summary import TrialSummary, read_readable_history


@dataclass(frozen=True)
class Rerun:
    """The result of a rerun.

    Attributes:
        trial: The trial before the rerun.
        result: How the training ended.
        before: The earlier history, if the trial had been trained to its end; else None.
        after: The trial's whole history after the rerun; None if the training did not end.
        traceback: The traceback of a failure.
    """

    trial: TrialSummary
    result: RunResult
    before: History | None = None
    after: History | None = None
    traceback: str = ""


class DebugLauncher:
    """The inline launcher, which keeps a trial's exception for a debugger.

    Attributes:
        error: The last exception that ended a trial, with its traceback.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __call__(
        self, groups: Sequence[TrialGroup], concurrency: int, report: ReportProgress, stop: StopRequest
    ) -> None:
        """Run the trial groups in their order."""
        launch(groups, concurrency, report, stop, self._keep_error)

    def _keep_error(self, error: Exception) -> None:
        self.error = error


def rerun_trial(trial: TrialSummary, spec: Trial, study: ResolvedExperiment, context: RunContext) -> Rerun:
    """Train a trial again, or resume it if it is unfinished.

    Args:
        trial: The trial as it is now, with the recorded history if no checkpoint holds it.
        spec: The trial's spec in ``study``.
        study: The experiment through which the trial is found.
        context: The record of that experiment, its storage and its lock.

    Raises:
        HarnessError: The launcher, the store or the storage is not usable.
    """
    promoted = _finish_promotion(trial, spec, study, context)
    if promoted is not None:
        return promoted
    if trial.is_trained or (trial.run is not None and trial.run.is_recorded):
        return _train_again(trial, spec, study, context)
    return _resume(trial, spec, study, context)


def _resume(trial: TrialSummary, spec: Trial, study: ResolvedExperiment, context: RunContext) -> Rerun:
    """Train an unfinished trial from its checkpoint to its end, as ``harness run`` would."""
    plan = _plan_training(spec, study, trial.history)
    with ExitStack() as launchers:
        result = run_plan(plan, context, launchers)
    return Rerun(trial, result, None, *_read_result(trial.folder, trial.id))


def _train_again(trial: TrialSummary, spec: Trial, study: ResolvedExperiment, context: RunContext) -> Rerun:
    """Train a complete trial in a rerun folder. Only once that is done does it replace the earlier training."""
    before = trial.history
    if find_ensemble_seeds(before) and study.experiment.execution.seeds_together == "off":
        # Only the ensemble of the earlier training rounds the same, however the experiment trains new trials now.
        execution = study.experiment.execution.model_copy(update={"seeds_together": "auto"})
        study = study.replace(experiment=study.experiment.model_copy(update={"execution": execution}))
    rerun_folder = context.storage / f"{trial.id}{RERUN_SUFFIX}"
    earlier_rerun = _read_earlier_rerun(trial, before, rerun_folder, context.storage)
    if earlier_rerun is not None and earlier_rerun.is_complete:
        result = RunResult(trained=1)
    else:
        if earlier_rerun is not None:
            context.notify(f"Resuming an earlier rerun, which ended at epoch {earlier_rerun.last_epoch}.")
        plan = _plan_training(spec, study, earlier_rerun, find_ensemble_seeds(before))
        with _scratch_record(trial.experiments[0], rerun_folder) as scratch, ExitStack() as launchers:
            scratch_context = replace(context, record=scratch, storage=rerun_folder, is_whole_experiment=True)
            result = run_plan(plan, scratch_context, launchers)
    after, traceback = _read_result(rerun_folder / trial.id, trial.id)
    if after is None:
        return Rerun(trial, result, before, None, traceback)
    archive_trials([trial.id], context.record, context.storage, "trained again by harness rerun")
    promote_rerun(context.storage, trial.id)
    result.store_error = result.store_error or _publish(spec, study, context).store_error
    return Rerun(trial, result, before, after)


def _finish_promotion(trial: TrialSummary, spec: Trial, study: ResolvedExperiment, context: RunContext) -> Rerun | None:
    """Finish an earlier rerun that was cut off after it archived the trial, and before it took the trial's place.

    Returns:
        The result of that rerun; None if there is none to finish.
    """
    storage = context.storage
    after, _ = read_readable_history(storage / f"{trial.id}{RERUN_SUFFIX}" / trial.id, trial.id)
    if after is None or not after.is_complete or trial.run is not None or trial.id in storage.list_names():
        return None
    promote_rerun(storage, trial.id)
    result = RunResult(trained=1, store_error=_publish(spec, study, context).store_error)
    archived = archived_names(storage.list_names(), trial.id)
    before = read_readable_history(storage / archived[-1], trial.id)[0] if archived else None
    return Rerun(trial, result, before, after)


def promote_rerun(storage: Folder, trial: str) -> None:
    """Rename the folder in which a trial was trained again, so that it becomes the trial's own folder.

    Raises:
        HarnessError: The storage does not answer.
    """
    rerun_folder = storage / f"{trial}{RERUN_SUFFIX}"
    (rerun_folder / trial).rename(storage / trial)
    rerun_folder.remove(MARK)
    if rerun_folder.path is not None:
        with suppress(OSError):
            rerun_folder.path.rmdir()


def _read_earlier_rerun(
    trial: TrialSummary, before: History | None, rerun_folder: Folder, storage: Folder
) -> History | None:
    """Return the history of an unfinished rerun, to resume it; archive the rerun if the trial was trained meanwhile."""
    history, _ = read_readable_history(rerun_folder / trial.id, trial.id)
    if history is None or not history.is_complete or before is None:
        return history
    if history.epochs[-1].at < before.epochs[0].at:
        reason = "left by a rerun that was cut off"
        archive_folder(storage, trial.id, storage.list_names(), reason, rerun_folder / trial.id)
        return None
    return history


def _read_result(folder: Folder, trial: str) -> tuple[History | None, str]:
    """Return a trial's whole history; if it has none yet, None and the traceback of its last attempt."""
    history, _ = read_readable_history(folder, trial)
    if history is not None and history.is_complete:
        return history, ""
    attempts = read_attempts(folder)
    return None, attempts[-1].trace if attempts else ""


def _plan_training(
    spec: Trial, study: ResolvedExperiment, history: History | None, ensemble_seeds: tuple[int, ...] = ()
) -> Plan:
    """Return a plan that trains one trial.

    Args:
        history: What is trained of it; None for nothing.
        ensemble_seeds: The ensemble to train it in; by default that of ``history``.
    """
    epochs_done = history.last_epoch if history is not None else 0
    planned = PlannedTrial(
        spec,
        TrialStatus.INTERRUPTED if epochs_done else TrialStatus.NEW,
        (1 - epochs_done / spec.recipe.epochs) * estimate_seconds(spec, study),
        epochs_done,
        ensemble_seeds=ensemble_seeds or find_ensemble_seeds(history),
    )
    return Plan(study, (planned,), 1)


def _publish(spec: Trial, study: ResolvedExperiment, context: RunContext) -> RunResult:
    """Publish a trained trial from its checkpoint."""
    planned = PlannedTrial(spec, TrialStatus.UNPUBLISHED, 0.0, spec.recipe.epochs)
    return PlanRun(Plan(study, (planned,), 1), context).run(launch)


@contextmanager
def _scratch_record(name: str, storage: Folder) -> Iterator[CheckpointRecord]:
    """Yield a temporary record of the trials in ``storage``, so that a rerun writes nothing into the real one."""
    with TemporaryDirectory(prefix="depthbench-again-") as directory:
        yield CheckpointRecord(Path(directory), name, storage)
