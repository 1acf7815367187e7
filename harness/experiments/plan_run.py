"""One plan on its way into the record: prepare the record, launch the trial groups, settle what is left."""

from __future__ import annotations

import time
from collections import Counter
from uuid import uuid4

from harness.errors import HarnessError
from harness.execution.attempts import read_attempts
from harness.execution.progress import Progress
from harness.execution.trial_group import TrialGroup, TrialTask
from harness.experiments.background_tasks import BackgroundTasks
from harness.experiments.planning.plan import Plan
from harness.experiments.planning.planned_trial import PlannedTrial
from harness.experiments.record_sync import average_variants, close_abandoned_runs, publish_history
from harness.experiments.run_context import RunContext
from harness.experiments.run_result import RunResult
from harness.launchers.base import Launcher, ReportProgress
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import escape_rich
from harness.tracking.history import read_newest_history
from harness.tracking.mlflow_record.store.patience import read_wait_seconds
from harness.tracking.recorded_trial import RecordedTrial
from harness.version import source_revision

STORE_SECONDS_AFTER_STOP = 3.0
"""How long the driver waits for the store after a stop request. The next run publishes what is missing."""


class PlanRun:
    """The run of one plan. The experiment's lock has to be held.

    Args:
        report: Receives each progress of a trial.
    """

    def __init__(self, plan: Plan, context: RunContext, report: ReportProgress = lambda progress: None) -> None:
        self.plan, self.context, self.report = plan, context, report
        self.record, self.storage, self.stop = context.record, context.storage, context.stop
        self.patience = self.record.patience
        self.patience.notify = lambda text: context.notify(escape_rich(text))
        self.to_run = plan.to_run
        self.run_ids: dict[str, str] = {}
        self.last_progress: dict[str, Progress] = {}
        self.end_times: dict[str, int] = {}
        self.recorded_failures: set[str] = set()
        self.variants = {planned.trial.id: planned.trial.variant.name for planned in self.to_run}
        self.unfinished_per_variant = Counter(self.variants.values())
        self.background = BackgroundTasks()

    def run(self, launcher: Launcher) -> RunResult:
        """Bring every trial of the plan into the record. One trial's failure ends no other trial.

        Raises:
            HarnessError: The store does not answer. Nothing was launched then.
        """
        self.patience.seconds = store_seconds = read_wait_seconds()
        self.patience.retry(self.prepare, self.record.address)
        started = time.monotonic()
        with self.background:
            if self.to_run:
                # Trials continue without the store, so nothing waits for it now; what it misses is sent at the end.
                self.patience.seconds = 0.0
                with self.stop.on_signals(self._announce_stop):
                    launcher(self.trial_groups(), self.plan.concurrency, self.handle_progress, self.stop)
            result = self.summarise()
            result.seconds = time.monotonic() - started
            self.stop.cancel()
            if self.stop.is_requested:
                store_seconds = min(store_seconds, STORE_SECONDS_AFTER_STOP)
            self.patience.seconds = store_seconds
            self.background.close(store_seconds)
        if not self.stop.lost_lock:
            try:
                self.patience.retry(lambda: self.settle(result), self.record.address)
            except HarnessError as error:
                result.store_error = str(error)
        return result

    def prepare(self) -> None:
        """Publish trials that are already trained, and close abandoned runs. Can be repeated.

        The process that trains a trial creates the trial's run when it begins, so that MLflow shows its true start.
        """
        study = self.plan.study
        self.record.prepare_runs(study, str(self.storage), self.context.is_whole_experiment)
        self.record.remove_duplicate_runs()
        self._read_run_ids()
        unpublished = [planned for planned in self.plan.trials if planned.status == TrialStatus.UNPUBLISHED]
        others = self.record.find_in_other_experiments(
            [planned.trial.id for planned in unpublished if planned.in_other_experiment]
        )
        for planned in unpublished:
            if planned.in_other_experiment:
                publish_history(others[planned.trial.id](), study, self.record, self.run_ids)
            else:
                self._publish(planned)
        close_abandoned_runs(self.record, self.storage, keep={planned.trial.id for planned in self.to_run})
        self.record.refresh_runs()

    def handle_progress(self, progress: Progress) -> None:
        """Report a trial's progress. Write its end to the store in the background, so that other trials do not wait."""
        self.report(progress)
        if progress.status == TrialStatus.RUNNING:
            return
        self.last_progress[progress.trial] = progress
        self.end_times[progress.trial] = int(time.time() * 1000)
        if progress.wrong_storage:
            # That host would start and fail one trial after another.
            self.stop.request(progress.message)
        if progress.status == TrialStatus.FAILED:
            self.background.submit(lambda: self._record_failure(progress))
        name = self.variants[progress.trial]
        if progress.status not in (TrialStatus.INTERRUPTED, TrialStatus.SUPERSEDED):
            self.unfinished_per_variant[name] -= 1
        if not self.unfinished_per_variant[name]:
            self.background.submit(lambda: average_variants(self.record, self.plan.study, name))

    def settle(self, result: RunResult) -> None:
        """Write whatever the store did not accept during the run, and update the variants' means. Can be repeated."""
        self.record.refresh_runs()
        self.record.remove_duplicate_runs()
        recorded = self._read_run_ids()
        for planned in self.to_run:
            identity, label, status = planned.trial.id, planned.trial.label, self._status(planned)
            run = recorded.get(identity)
            if status.is_complete:
                is_recorded = run is not None and run.is_recorded
                if is_recorded or self._publish(planned):
                    result.unpublished = [other for other in result.unpublished if other != label]
            elif status == TrialStatus.INTERRUPTED:
                self._publish(planned)
                # A trial that this run did not begin keeps the end and the failure of its last attempt.
                has_ended = run is not None and run.status in (TrialStatus.INTERRUPTED, TrialStatus.FAILED)
                if identity in self.run_ids and (identity in self.last_progress or not has_ended):
                    ended = self.end_times.get(identity, 0)
                    self.record.mark_interrupted(self.run_ids[identity], result.stop_reason or "stopped", ended)
            elif status == TrialStatus.FAILED and identity not in self.recorded_failures:
                self._record_failure(self.last_progress[identity])
        average_variants(self.record, self.plan.study)
        self.record.remove_duplicate_runs()
        if self.context.is_whole_experiment:
            failures = f"{len(result.failed)} trials failed" if result.failed else ""
            reason = result.stop_reason or failures or "all trials are recorded"
            self.record.write_end_reason(reason, has_trained=bool(self.to_run))

    def summarise(self) -> RunResult:
        """Return how the trials ended. All that this run trained count as unpublished until :meth:`settle`."""
        labels: dict[TrialStatus, list[str]] = {}
        for planned in self.to_run:
            labels.setdefault(self._status(planned), []).append(planned.trial.label)
        trained = [label for status in TrialStatus if status.is_complete for label in labels.get(status, ())]
        failed = {
            planned.trial.label: self.last_progress[planned.trial.id].message
            for planned in self.to_run
            if self._status(planned) == TrialStatus.FAILED
        }
        interrupted = labels.get(TrialStatus.INTERRUPTED, [])
        is_superseded = any(progress.status == TrialStatus.SUPERSEDED for progress in self.last_progress.values())
        reason = self.stop.reason or ("another run, which trains these trials" if is_superseded else "")
        return RunResult(
            len(trained),
            failed,
            interrupted,
            trained,
            stop_reason=reason if interrupted else "",
            checkpointed=[planned.trial.label for planned in self.to_run if self._is_checkpointed(planned)],
        )

    def trial_groups(self) -> list[TrialGroup]:
        """Return the trial groups to launch, in their order."""
        experiment = self.plan.study.experiment
        launch, revision = uuid4().hex[:12], source_revision()
        tasks = {
            planned.trial.id: TrialTask(
                trial=planned.trial,
                execution=planned.execution(self.plan.study.execution),
                resources=experiment.resources,
                folder=self.storage / planned.trial.id,
                tracking_uri=self.record.uri,
                run_id=self.run_ids.get(planned.trial.id, ""),
                new_run=self.record.new_trial_run(self.plan.study, planned.trial),
                launch=launch,
                # A trial has a whole GPU for itself. The cores of one machine share its memory and its clock.
                shares_device=self.plan.concurrency > 1 and experiment.resources.gpus < 1,
                image_size=self.plan.study.view_of(planned.trial).data.size,
                revision=revision,
                search_metric=experiment.tune.metric if experiment.tune and planned.is_search else "",
            )
            for planned in self.to_run
        }
        return [
            TrialGroup(tuple(tasks[planned.trial.id] for planned in group.trials), group.ensemble_seeds)
            for group in self.plan.groups
        ]

    def _is_checkpointed(self, planned: PlannedTrial) -> bool:
        """Return whether an interrupted trial has a checkpoint, from this run or from an earlier one."""
        progress = self.last_progress.get(planned.trial.id)
        was_resumable = planned.status == TrialStatus.INTERRUPTED
        is_resumable = was_resumable or (progress is not None and progress.is_checkpointed)
        return is_resumable and self._status(planned) == TrialStatus.INTERRUPTED

    def _status(self, planned: PlannedTrial) -> TrialStatus:
        """Return how a trial ended; one that was never started, or that another run took over, was interrupted."""
        progress = self.last_progress.get(planned.trial.id)
        if progress is None or progress.status == TrialStatus.SUPERSEDED:
            return TrialStatus.INTERRUPTED
        return progress.status

    def _read_run_ids(self) -> dict[str, RecordedTrial]:
        """Add the runs of all recorded trials to ``run_ids``, and return the trials by id."""
        recorded = self.record.read_trials()
        self.run_ids |= {identity: run.run_id for identity, run in recorded.items()}
        return recorded

    def _publish(self, planned: PlannedTrial) -> bool:
        """Publish the history in a trial's newest checkpoint; return whether the trial is complete in it."""
        history = read_newest_history(self.storage / planned.trial.id, planned.trial.id)
        if history is None:
            return False
        publish_history(history, self.plan.study, self.record, self.run_ids)
        return history.is_complete

    def _record_failure(self, progress: Progress) -> None:
        identity, ended = progress.trial, self.end_times[progress.trial]
        if identity not in self.run_ids:
            trial = next(planned.trial for planned in self.to_run if planned.trial.id == identity)
            attempts = read_attempts(self.storage / identity)
            started = attempts[0].started if attempts else ended
            self.run_ids[identity] = self.record.create_trial_run(self.plan.study, trial, started)
        self.record.mark_failed(self.run_ids[identity], progress.message, progress.traceback, ended)
        self.recorded_failures.add(identity)

    def _announce_stop(self) -> None:
        self.context.notify("Stopping: running trials write a checkpoint. A second Ctrl-C ends the run at once.")
