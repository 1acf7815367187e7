"""The driver's part of a run: create the runs, launch the jobs, publish what is left, average the variants."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.errors import HarnessError
from harness.launching.job import Job, Progress
from harness.launching.plan import Plan, Planned
from harness.specs import Study, Variant
from harness.tracking import Record
from harness.tracking.history import newest_journal
from harness.tracking.journals import trial_directory
from harness.tracking.store import Store

Report = Callable[[Progress], None]


class Launcher(Protocol):
    """Runs jobs and reports their progress, in whatever order they end."""

    def __call__(self, jobs: Sequence[Job], concurrency: int, report: Report) -> None: ...


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        trained: Trials that this run trained.
        failed: Messages of the trials that failed, by label.
        unpublished: Labels of trials that are trained and not yet in the store.
        trouble: What the store answered when it did not take something; empty where all is well.
        seconds: Wall time of the training of all.
    """

    trained: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    unpublished: list[str] = field(default_factory=list)
    trouble: str = ""
    seconds: float = 0.0

    @contextmanager
    def tolerating(self) -> Iterator[None]:
        """Once trials run, the store's absence is survived: note it and go on."""
        try:
            yield
        except HarnessError as error:
            self.trouble = str(error)


def execute(plan: Plan, record: Record, home: Path, launcher: Launcher, report: Report) -> Outcome:
    """Bring everything in ``plan`` into the record. Trials fail alone; an interrupt leaves checkpoints."""
    study = plan.study
    record.prepare(study)
    runs = {identity: run.run_id for identity, run in record.trials().items()}
    todo = plan.to_run
    waiting = [planned for planned in plan.trials if planned.state in ("unpublished", "elsewhere")]
    for planned in [*todo, *waiting]:
        if planned.trial.id not in runs:
            runs[planned.trial.id] = record.create_trial(study, planned.trial)
    _publish_waiting(waiting, record, home, runs)

    jobs = _jobs(todo, plan, record, home, runs)
    labels = {planned.trial.id: planned.trial.label for planned in plan.trials}
    remaining = {variant.name: _left(todo, variant) for variant in study.variants}
    outcome = Outcome()
    started = time.monotonic()

    def follow(progress: Progress) -> None:
        report(progress)
        if progress.outcome == "running":
            return
        if progress.outcome == "failed":
            outcome.failed[labels[progress.trial]] = progress.message
            with outcome.tolerating():
                record.fail(runs[progress.trial], progress.message, progress.trace)
        else:
            outcome.trained += 1
        for name, left in remaining.items():
            if progress.trial in left:
                left.remove(progress.trial)
                if not left:
                    with outcome.tolerating():
                        _summarise(record, study, [v for v in study.variants if v.name == name])

    try:
        if jobs:
            launcher(jobs, plan.concurrency, follow)
    finally:
        outcome.seconds = time.monotonic() - started
    trained = [planned for planned in todo if planned.trial.label not in outcome.failed]
    outcome.unpublished = [planned.trial.label for planned in trained]
    # What follows does again whatever the store did not take on the way.
    outcome.trouble = ""
    with outcome.tolerating():
        record.refresh()
        left = [planned for planned in trained if not _finished(record, planned)]
        outcome.unpublished = [planned.trial.label for planned in left]
        for planned in left:
            if _publish_journal(planned.trial.id, record, home, runs):
                outcome.unpublished.remove(planned.trial.label)
        _summarise(record, study, study.variants)
    return outcome


def _finished(record: Record, planned: Planned) -> bool:
    run = record.trials().get(planned.trial.id)
    return run is not None and run.finished


def put_aside(plan: Plan, record: Record, home: Path) -> None:
    """Supersede what is recorded of a plan's trials, for ``--force``: runs by a tag, journals by a new name."""
    record.supersede([planned.trial.id for planned in plan.trials])
    for planned in plan.trials:
        directory = trial_directory(home, planned.trial.id)
        if directory.exists():
            number = len(list(directory.parent.glob(f"{directory.name}.superseded-*"))) + 1
            directory.rename(directory.with_name(f"{directory.name}.superseded-{number}"))


def _publish_waiting(waiting: Sequence[Planned], record: Record, home: Path, runs: dict[str, str]) -> None:
    elsewhere = record.elsewhere([p.trial.id for p in waiting if p.state == "elsewhere"])
    for planned in waiting:
        identity = planned.trial.id
        if planned.state == "elsewhere":
            record.publish(runs[identity], elsewhere[identity]())
        else:
            _publish_journal(identity, record, home, runs)
    record.refresh()


def _publish_journal(identity: str, record: Record, home: Path, runs: dict[str, str]) -> bool:
    """Whether there was a finished journal to publish."""
    journal = newest_journal(trial_directory(home, identity))
    if journal is None or not journal[0].done:
        return False
    record.publish(runs[identity], journal[0])
    return True


def _left(todo: Sequence[Planned], variant: Variant) -> set[str]:
    return {planned.trial.id for planned in todo if planned.trial.variant.name == variant.name}


def _summarise(record: Record, study: Study, variants: Sequence[Variant]) -> None:
    """Put means on the runs of those variants of which trials are recorded."""
    record.refresh()
    for variant in variants:
        histories = record.histories([t.id for t in study.trials if t.variant.name == variant.name])
        if histories:
            record.summarise(study, variant, histories)


def _jobs(todo: Sequence[Planned], plan: Plan, record: Record, home: Path, runs: dict[str, str]) -> list[Job]:
    experiment = plan.study.experiment
    return [
        Job(
            trial=planned.trial,
            execution=experiment.execution,
            resources=experiment.resources,
            directory=trial_directory(home.absolute(), planned.trial.id),
            uri=record.uri if isinstance(record, Store) else "",
            run_id=runs[planned.trial.id],
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
