"""The driver's part of a run: create the runs, launch the jobs, publish what is left, average the variants."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from harness.errors import HarnessError, StoreAway
from harness.launching.aside import put_folder_aside
from harness.launching.clerk import Clerk
from harness.launching.job import Job, Progress
from harness.launching.plan import Plan, Planned
from harness.launching.stop import Stop
from harness.specs import Study, Variant
from harness.storage import Folder
from harness.text import shown
from harness.tracking import Record
from harness.tracking.client import patiently
from harness.tracking.history import newest_journal
from harness.tracking.store import Store

Report = Callable[[Progress], None]
Say = Callable[[str], None]
PATIENCE = 90.0
"""Seconds for which the driver waits for a store that does not answer, before and after the trials."""
PATIENCE_STOPPED = 3.0
"""The same once a user has asked for the end: what is missing then, the next run publishes."""


class Launcher(Protocol):
    """Runs jobs and reports their progress, in whatever order they end.

    Once a stop is asked for it starts none any more, tells those that run to write a checkpoint, and returns.
    """

    def __call__(self, jobs: Sequence[Job], concurrency: int, report: Report, stop: Stop) -> None: ...


@dataclass
class Outcome:
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


def execute(
    plan: Plan,
    record: Record,
    storage: Folder,
    launcher: Launcher,
    report: Report,
    stop: Stop | None = None,
    say: Say = lambda text: None,
) -> Outcome:
    """Bring everything in ``plan`` into the record. Trials fail alone; a stop leaves checkpoints.

    Whoever calls holds the experiment's lock.

    Raises:
        HarnessError: The store does not answer, before anything was launched.
    """
    stop = Stop() if stop is None else stop

    def waiting(error: StoreAway) -> None:
        say(f"{shown(error.what)}; waiting for it up to {PATIENCE:g} s ...")

    runs = patiently(lambda: _prepare(plan, record, storage), PATIENCE, waiting)
    todo = plan.to_run
    outcome = Outcome()
    ended: dict[str, Progress] = {}
    labels = {planned.trial.id: planned.trial.label for planned in plan.trials}
    remaining = {variant.name: _ids(todo, variant) for variant in plan.study.variants}
    started = time.monotonic()
    with Clerk() as clerk:

        def follow(progress: Progress) -> None:
            report(progress)
            if progress.outcome == "running":
                return
            ended[progress.trial] = progress
            if progress.outcome in ("failed", "superseded"):
                outcome.failed[labels[progress.trial]] = progress.message
            if progress.outcome == "failed":
                clerk.do(lambda: record.fail(runs[progress.trial], progress.message, progress.trace))
            for name, left in remaining.items():
                if progress.trial in left and progress.outcome != "stopped":
                    left.remove(progress.trial)
                    if not left:
                        clerk.do(lambda name=name: _summarise(record, plan.study, name))  # type: ignore[misc]

        def announce() -> None:
            say("Stopping: running trials write a checkpoint. Once more ends at once.")

        if todo:
            with stop.on_signals(announce):
                launcher(_jobs(todo, plan, record, storage, runs), plan.concurrency, follow, stop)
        outcome.seconds = time.monotonic() - started
        stop.cancel()
        clerk.finish(PATIENCE if not stop.asked else PATIENCE_STOPPED)
    trained = [planned for planned in todo if _how(planned, ended) in ("finished", "diverged")]
    stopped = [planned for planned in todo if _how(planned, ended) == "stopped"]
    outcome.trained = len(trained)
    outcome.stopped = [planned.trial.label for planned in stopped]
    outcome.unpublished = [planned.trial.label for planned in trained]
    outcome.ended = stop.reason if stopped else ""

    if stop.hands_off:
        return outcome

    def settle() -> None:
        """Do again whatever the store did not take on the way."""
        record.refresh()
        recorded = record.trials()
        for planned in trained:
            identity = planned.trial.id
            if recorded[identity].finished or _publish_journal(identity, record, storage, runs):
                outcome.unpublished = [label for label in outcome.unpublished if label != planned.trial.label]
        for planned in stopped:
            _publish_journal(planned.trial.id, record, storage, runs)
            record.stop(runs[planned.trial.id], outcome.ended or "stopped")
        for progress in ended.values():
            # Without MLflow a trial that failed has no run.
            run = recorded.get(progress.trial)
            if progress.outcome == "failed" and run is not None and run.status != "FAILED":
                record.fail(runs[progress.trial], progress.message, progress.trace)
        _summarise(record, plan.study)
        record.note_end(outcome.ended or "it ran all there was to run")

    try:
        patiently(settle, PATIENCE_STOPPED if stop.asked else PATIENCE, waiting)
    except HarnessError as error:
        outcome.trouble = str(error)
    return outcome


def _how(planned: Planned, ended: dict[str, Progress]) -> str:
    """How a trial of this run ended; one that was never started was stopped."""
    return ended[planned.trial.id].outcome if planned.trial.id in ended else "stopped"


def _prepare(plan: Plan, record: Record, storage: Folder) -> dict[str, str]:
    """Create what is missing, publish what waits, mend what dead processes left; the runs of the trials by id."""
    record.prepare(plan.study)
    runs = {identity: run.run_id for identity, run in record.trials().items()}
    waiting = [planned for planned in plan.trials if planned.state in ("unpublished", "elsewhere")]
    for planned in [*plan.to_run, *waiting]:
        if planned.trial.id not in runs:
            runs[planned.trial.id] = record.create_trial(plan.study, planned.trial)
    elsewhere = record.elsewhere([p.trial.id for p in waiting if p.state == "elsewhere"])
    for planned in waiting:
        if planned.state == "elsewhere":
            record.publish(runs[planned.trial.id], elsewhere[planned.trial.id]())
        else:
            _publish_journal(planned.trial.id, record, storage, runs)
    mend(record, storage, keep={planned.trial.id for planned in plan.to_run})
    record.refresh()
    return runs


def mend(record: Record, storage: Folder, keep: set[str]) -> dict[str, str]:
    """Trials whose runs say RUNNING though their processes are gone: publish what their journals hold, and end them.

    Whoever calls holds the lock, so that nobody runs them.

    Returns:
        What was done with each, in words, by label.
    """
    done = {}
    for identity, run in record.left_running().items():
        if identity in keep:
            continue
        journal = newest_journal(storage / identity, identity)
        if journal is not None:
            record.publish(run.run_id, journal)
        if journal is not None and journal.done:
            done[run.name] = "its whole history was published"
            continue
        epochs = journal.last_epoch if journal is not None else 0
        record.stop(run.run_id, f"its process ended; its checkpoint holds {epochs} epochs")
        done[run.name] = f"stopped, with {epochs} epochs in its checkpoint; `harness run` goes on from there"
    return done


def synchronise(study: Study, record: Record, storage: Folder) -> dict[str, str]:
    """Publish every journal that the store lacks, end runs that dead processes left, average; trains nothing.

    Returns:
        What was done with each trial, in words, by label.
    """
    record.refresh()
    runs = record.trials()
    done = {}
    for trial in study.trials:
        run = runs.get(trial.id)
        if run is not None and not run.finished and _publish_journal(trial.id, record, storage, {trial.id: run.run_id}):
            done[trial.label] = "its whole history was published"
    done |= mend(record, storage, keep=set())
    _summarise(record, study)
    return done


def put_aside(trials: Sequence[str], record: Record, storage: Folder, reason: str) -> None:
    """Take trials out of the record: runs by a tag, journals by a new name. Nothing is deleted."""
    record.supersede(trials, reason)
    names = storage.names()
    for trial in trials:
        if trial in names:
            put_folder_aside(storage, trial, names, reason)


def _publish_journal(identity: str, record: Record, storage: Folder, runs: dict[str, str]) -> bool:
    """Publish what a trial's journal holds; whether that was all of a trial that is done."""
    journal = newest_journal(storage / identity, identity)
    if journal is None:
        return False
    record.publish(runs[identity], journal)
    return journal.done


def _ids(todo: Sequence[Planned], variant: Variant) -> set[str]:
    return {planned.trial.id for planned in todo if planned.trial.variant.name == variant.name}


def _summarise(record: Record, study: Study, only: str | None = None) -> None:
    """Put means on the runs of those variants of which trials are recorded."""
    record.refresh()
    for variant in study.variants:
        if only in (None, variant.name):
            histories = record.histories([t.id for t in study.trials if t.variant.name == variant.name])
            if histories:
                record.summarise(study, variant, histories)


def _jobs(todo: Sequence[Planned], plan: Plan, record: Record, storage: Folder, runs: dict[str, str]) -> list[Job]:
    experiment = plan.study.experiment
    launch = uuid4().hex[:12]
    return [
        Job(
            trial=planned.trial,
            execution=experiment.execution,
            resources=experiment.resources,
            folder=storage / planned.trial.id,
            uri=record.uri if isinstance(record, Store) else "",
            run_id=runs[planned.trial.id],
            launch=launch,
            # A whole GPU is a trial's own; cores of one machine share its memory and its clock.
            shared=plan.concurrency > 1 and experiment.resources.gpus < 1,
            size=plan.study.data.size,
            revision=revision(),
        )
        for planned in todo
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
