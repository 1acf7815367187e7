"""The driver's part of a run: create the runs, launch the jobs, publish what is left, average the variants."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from harness.errors import HarnessError, StoreUnavailable
from harness.execution.runner import Progress, TrialGroup, group_of
from harness.experiments.background_tasks import BackgroundTasks
from harness.experiments.planning.plan import Plan, PlannedTrial
from harness.experiments.reconcile import average_variants, close_abandoned_runs, publish_journal
from harness.io.storage import Folder
from harness.launchers.base import Launcher, Notify, ReportProgress
from harness.launchers.stop_request import StopRequest
from harness.specs import ResolvedExperiment
from harness.text import escape_rich
from harness.tracking.mlflow_record.client import retry
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.tracking.record import Record

ENDED = ("finished", "diverged", "cut")
"""How a trial's progress may end for good."""
PATIENCE = 90.0
"""Seconds for which the driver waits for a store that does not answer, before and after the trials."""
PATIENCE_STOPPED = 3.0
"""The same once a user has asked for the end: what is missing then, the next run publishes."""


@dataclass
class RunResult:
    """What a run came to.

    Attributes:
        trained: Trials that this run trained to their end.
        failed: Messages of the trials that failed, by label.
        stopped: Labels of the trials that were not trained to their end, since the run was to stop.
        unpublished: Labels of trials that are trained and not yet in the store.
        trouble: What the store answered when it did not take something; empty where all is well.
        ended: Why the run stopped early, in words; empty where it did not.
        seconds: Wall time of the training of all.
    """

    trained: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    unpublished: list[str] = field(default_factory=list)
    trouble: str = ""
    ended: str = ""
    seconds: float = 0.0

    @property
    def incomplete(self) -> bool:
        """Whether something is left for another run."""
        return bool(self.failed or self.stopped or self.trouble)

    def to_report(self, study: ResolvedExperiment) -> bool:
        """Whether some trial that is compared is in the record."""
        return any(t.label not in self.failed and t.label not in self.stopped for t in study.trials)

    def then(self, later: RunResult) -> RunResult:
        """What this and a later part of the same run came to."""
        return RunResult(
            self.trained + later.trained,
            self.failed | later.failed,
            [*self.stopped, *later.stopped],
            [*self.unpublished, *later.unpublished],
            later.trouble or self.trouble,
            later.ended or self.ended,
            self.seconds + later.seconds,
        )


def run_plan(
    plan: Plan,
    record: Record,
    storage: Folder,
    launcher: Launcher,
    report: ReportProgress,
    stop: StopRequest | None = None,
    say: Notify = lambda text: None,
    whole: bool = True,
) -> RunResult:
    """Bring everything in ``plan`` into the record. Trials fail alone; a stop leaves checkpoints.

    Whoever calls holds the experiment's lock.

    Args:
        whole: Whether the plan is all of its experiment, whose end is then noted.

    Raises:
        HarnessError: The store does not answer, before anything was launched.
    """
    sweep = ExperimentRun(plan, record, storage, StopRequest() if stop is None else stop, report, say)
    sweep.whole = whole
    return sweep.run(launcher)


class ExperimentRun:
    """A plan on its way into the record."""

    def __init__(
        self, plan: Plan, record: Record, storage: Folder, stop: StopRequest, report: ReportProgress, say: Notify
    ) -> None:
        self.plan, self.record, self.storage = plan, record, storage
        self.stop, self.report, self.say = stop, report, say
        self.whole = True
        self.todo = plan.to_run
        self.runs: dict[str, str] = {}
        self.ended: dict[str, Progress] = {}
        self.variants = {planned.trial.id: planned.trial.variant.name for planned in self.todo}
        self.left = Counter(self.variants.values())
        self.clerk = BackgroundTasks()

    def run(self, launcher: Launcher) -> RunResult:
        retry(self.prepare, PATIENCE, self._waiting)
        started = time.monotonic()
        with self.clerk:
            if self.todo:
                with self.stop.on_signals(self._announce_stop):
                    launcher(self._jobs(), self.plan.concurrency, self.follow, self.stop)
            outcome = self.outcome()
            outcome.seconds = time.monotonic() - started
            self.stop.cancel()
            patience = PATIENCE_STOPPED if self.stop.asked else PATIENCE
            self.clerk.finish(patience)
        if not self.stop.hands_off:
            try:
                retry(lambda: self.settle(outcome), patience, self._waiting)
            except HarnessError as error:
                outcome.trouble = str(error)
        return outcome

    def prepare(self) -> None:
        """Create what is missing, publish what waits, mend what dead processes left. May be done twice."""
        self.record.prepare(self.plan.study, str(self.storage), self.whole)
        self.runs = {identity: run.run_id for identity, run in self.record.trials().items()}
        waiting = [planned for planned in self.plan.trials if planned.state in ("unpublished", "elsewhere")]
        for planned in [*self.todo, *waiting]:
            if planned.trial.id not in self.runs:
                self.runs[planned.trial.id] = self.record.create_trial(self.plan.study, planned.trial)
        elsewhere = self.record.elsewhere([p.trial.id for p in waiting if p.state == "elsewhere"])
        for planned in waiting:
            if planned.state == "elsewhere":
                self.record.publish(self.runs[planned.trial.id], elsewhere[planned.trial.id]())
            else:
                publish_journal(planned.trial.id, self.record, self.storage, self.runs)
        close_abandoned_runs(self.record, self.storage, keep={planned.trial.id for planned in self.todo})
        self.record.refresh()

    def follow(self, progress: Progress) -> None:
        """A trial's progress; its end is the clerk's business, so that no store holds up the others."""
        self.report(progress)
        if progress.outcome == "running":
            return
        self.ended[progress.trial] = progress
        if progress.astray:
            # That host would take one trial after another, and fail each.
            self.stop.ask(progress.message)
        if progress.outcome == "failed":
            self.clerk.do(lambda: self.record.fail(self.runs[progress.trial], progress.message, progress.trace))
        name = self.variants[progress.trial]
        self.left[name] -= progress.outcome not in ("stopped", "superseded")
        if not self.left[name]:
            self.clerk.do(lambda: average_variants(self.record, self.plan.study, name))

    def settle(self, outcome: RunResult) -> None:
        """Do again whatever the store did not take on the way. May be done twice."""
        self.record.refresh()
        recorded = self.record.trials()
        for planned in self.todo:
            identity, label, how = planned.trial.id, planned.trial.label, self._how(planned)
            run = recorded.get(identity)
            if how in ENDED:
                done = run is not None and run.finished
                if done or publish_journal(identity, self.record, self.storage, self.runs):
                    outcome.unpublished = [other for other in outcome.unpublished if other != label]
            elif how == "stopped":
                publish_journal(identity, self.record, self.storage, self.runs)
                self.record.stop(self.runs[identity], outcome.ended or "stopped")
            elif how == "failed" and run is not None and run.status != "FAILED":
                # Without MLflow a trial that failed has no run.
                self.record.fail(self.runs[identity], self.ended[identity].message, self.ended[identity].trace)
        average_variants(self.record, self.plan.study)
        if self.whole:
            failed = f"{len(outcome.failed)} trials failed" if outcome.failed else ""
            self.record.note_end(outcome.ended or failed or "all trials are recorded")

    def outcome(self) -> RunResult:
        """What the trials came to; what is published is settled later."""
        labels: dict[str, list[str]] = {}
        for planned in self.todo:
            labels.setdefault(self._how(planned), []).append(planned.trial.label)
        trained = [label for how in ENDED for label in labels.get(how, ())]
        failed = {
            planned.trial.label: self.ended[planned.trial.id].message
            for planned in self.todo
            if self._how(planned) == "failed"
        }
        stopped = labels.get("stopped", [])
        taken = any(progress.outcome == "superseded" for progress in self.ended.values())
        reason = self.stop.reason or ("another run, which trains these trials" if taken else "")
        return RunResult(len(trained), failed, stopped, trained, ended=reason if stopped else "")

    def _how(self, planned: PlannedTrial) -> str:
        """How a trial of this run ended; one that was never started, or left to another run, was stopped."""
        how = self.ended[planned.trial.id].outcome if planned.trial.id in self.ended else "stopped"
        return "stopped" if how == "superseded" else how

    def _waiting(self, error: StoreUnavailable) -> None:
        self.say(f"{escape_rich(error.what)}; waiting for it up to {PATIENCE:g} s ...")

    def _announce_stop(self) -> None:
        self.say("Stopping: running trials write a checkpoint. Once more ends at once.")

    def _jobs(self) -> list[TrialGroup]:
        experiment = self.plan.study.experiment
        launch, source = uuid4().hex[:12], revision()
        single = {
            planned.trial.id: TrialGroup(
                trial=planned.trial,
                execution=planned.settled(self.plan.study.execution),
                resources=experiment.resources,
                folder=self.storage / planned.trial.id,
                uri=self.record.uri if isinstance(self.record, MlflowRecord) else "",
                run_id=self.runs[planned.trial.id],
                launch=launch,
                # A whole GPU is a trial's own; cores of one machine share its memory and its clock.
                shared=self.plan.concurrency > 1 and experiment.resources.gpus < 1,
                size=self.plan.study.data.size,
                revision=source,
                metric=experiment.tune.metric if experiment.tune and planned.part == "search" else "",
            )
            for planned in self.todo
        }
        return [
            group_of([single[planned.trial.id] for planned in pack.trials], pack.company) for pack in self.plan.jobs
        ]


def revision() -> str:
    """The project's git revision, with ``+`` where files were changed since; empty outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""

    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 (fixed words)
            ["git", "-C", str(root), *arguments],  # noqa: S607 (the user's own git)
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    try:
        dirty = git("status", "--porcelain", "--", "harness", "variants")
        return git("rev-parse", "--short=12", "HEAD") + "+" * bool(dirty)
    except OSError:
        return ""
