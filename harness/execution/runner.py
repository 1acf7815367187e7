"""A job joins a trial, its checkpoint and its outbox. Both launchers loop over it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.execution.attempts import Claim, Superseded, claim_trial
from harness.execution.optional_outputs import log_network, sample_system
from harness.io.storage import Checkpoint, Folder, WrongStorage, checkpoints
from harness.specs import Execution, Resources, Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import TOGETHER, History, NewerFormat, OtherTrial, read_journal
from harness.tracking.mlflow_record.client import redacted_message
from harness.tracking.mlflow_record.publisher import Outbox
from harness.tracking.outcome_names import outcome_name

if TYPE_CHECKING:
    from harness.training import Trainer
    from harness.training.distributed import Pause, ProcessGroup

Stopping = Callable[[], bool]
"""Whether the trial is to write a checkpoint and end."""
PATIENCE = 60.0
"""Seconds for which the last checkpoint is tried where the storage does not take it: nothing else holds its epochs."""
STOP_SECONDS = 5.0
"""How long a trial that stops waits for the store: what it does not take is in the checkpoint."""


@dataclass(frozen=True)
class TrialGroup:
    """One trial to run, or several seeds of one variant together, and all that a worker needs to know for it.

    Attributes:
        folder: The trial's checkpoints.
        uri: The tracking store; empty for none. It may hold a password.
        run_id: The trial's MLflow run, which the driver has created.
        launch: The driver's run, by which attempts that belong together are known.
        shared: Whether other trials use the device at the same time, so that its times are no measurement.
        size: Height and width of the images.
        revision: The project's git revision.
        metric: What a search compares its trials by; empty for a trial of none.
        mark: Of the storage that the folder lies in, for a worker that may see another one; empty on one machine.
        beside: The jobs of the other trials that are trained together with this one.
        company: The seeds that are trained together, those too that only keep the company what it was when the trials
            began; empty for a trial that is trained alone.
    """

    trial: Trial
    execution: Execution
    resources: Resources
    folder: Folder
    uri: str = field(repr=False)
    run_id: str
    launch: str
    shared: bool
    size: tuple[int, int]
    revision: str
    metric: str = ""
    mark: str = ""
    beside: tuple[TrialGroup, ...] = ()
    company: tuple[int, ...] = ()

    def marked(self, mark: str) -> TrialGroup:
        """The same for a worker that has to see the storage of this mark."""
        return replace(self, mark=mark, beside=tuple(replace(other, mark=mark) for other in self.beside))

    def claim(self, stopping: Stopping) -> Claim:
        """Take the trial for this process. It fails as :func:`claimed` does."""
        return claim_trial(self.folder, self.launch, stopping, PATIENCE, self.mark)

    @property
    def each(self) -> tuple[TrialGroup, ...]:
        """The jobs of its trials."""
        return self, *self.beside


def group_of(jobs: Sequence[TrialGroup], company: tuple[int, ...]) -> TrialGroup:
    """One job of those of several trials; one that is trained alone is its own.

    Each takes its share of the time of all, which is no measurement of one.
    """
    if not company:
        (job,) = jobs
        return job
    first, *others = (replace(job, company=company, shared=True) for job in jobs)
    return replace(first, beside=tuple(others))


@dataclass(frozen=True)
class Progress:
    """What a launcher tells the display about a trial.

    ``outcome`` is ``running``, ``finished``, ``diverged``, ``cut`` (a scheduler ended it), ``stopped`` (to go on
    later), ``superseded`` (another attempt has it) or ``failed``; ``error`` is the online training error, ``score``
    the metric of a search. ``message`` says why it failed, or what a user should know. ``astray``: its host sees other
    checkpoints than the driver does, as it would for every other trial.
    """

    trial: str
    outcome: str
    epoch: int = 0
    error: float | None = None
    test_error: float | None = None
    score: float | None = None
    seconds: float = 0.0
    message: str = ""
    trace: str = ""
    astray: bool = False


def run_group(
    job: TrialGroup,
    stopping: Stopping = lambda: False,
    caught: Callable[[Exception], None] = lambda error: None,
    cut: Stopping = lambda: False,
) -> Iterator[Progress]:
    """Run a job; an exception is that trial's failure, reported as its last progress, and nobody else's.

    Args:
        caught: Told of that exception, for a debugger.
        cut: Asked after each reported epoch: whether a scheduler ends the trial here, for good. A trial that has one
            is never trained together with others.
    """
    if job.company:
        from harness.execution.seed_ensemble import run_seed_ensemble

        yield from run_seed_ensemble(job, stopping, caught)
        return
    if stopping():
        yield Progress(job.trial.id, "stopped", message="before it began")
        return
    claim: Claim | None = None
    history: History | None = None
    try:
        claim = job.claim(stopping)
        for history in run_job(job, claim, stopping, cut):
            if history.done:
                claim.end(outcome_name(history.outcome))
            yield progress_of(job, history, claim)
    except Exception as error:
        yield failure_progress(error, job, claim, caught)
        return
    if history is None or not history.done:
        claim.end("stopped")
        last = Progress(job.trial.id, "stopped") if history is None else progress_of(job, history, claim)
        yield replace(last, outcome="stopped", message=claim.where_stopped())


def failure_progress(
    error: Exception, job: TrialGroup, claim: Claim | None, caught: Callable[[Exception], None]
) -> Progress:
    """The last progress of a trial that an exception ended, which its attempt keeps too."""
    if isinstance(error, Superseded):
        # Whoever has it reports its end; this is no failure of the trial.
        if claim is not None:
            claim.end("superseded")
        return Progress(job.trial.id, "superseded", message=str(error))
    caught(error)
    trace = "".join(traceback.format_exception(error))
    message = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {redacted_message(error)}"
    if claim is not None:
        claim.end("failed", message, trace)
    return Progress(job.trial.id, "failed", message=message, trace=trace, astray=isinstance(error, WrongStorage))


def run_job(
    job: TrialGroup, claim: Claim, stopping: Stopping = lambda: False, cut: Stopping = lambda: False
) -> Iterator[History]:
    """Train from the newest checkpoint, commit, publish; yields the history after every epoch.

    It ends before the trial does where it was told to stop. What is published was committed before.
    """
    # Only who trains pays for torch: planning, and finding that all is recorded, do without.
    from harness.execution.worker_group import start_workers

    with start_workers(job) as team:
        yield from _run_with(job, team, claim, stopping, cut)


def _run_with(
    job: TrialGroup, team: ProcessGroup, claim: Claim, stopping: Stopping, cut: Stopping
) -> Iterator[History]:
    from harness.training import Trainer
    from harness.training.memory_errors import explain_oom

    with explain_oom(job.trial, job.size):
        training = Trainer(job.trial, job.execution, job.resources, team)
        history = restore(job, training, claim)
    outbox = Outbox(job.uri, job.run_id) if job.uri else None
    try:
        with explain_oom(job.trial, job.size), sample_system(job, claim.note):
            yield from _train(job, training, history, claim, outbox, stopping, cut)
    finally:
        if outbox is not None:
            outbox.close(0)


def restore(job: TrialGroup, training: Trainer, claim: Claim, at: tuple[int, int] | None = None) -> History:
    """Put the training where its newest checkpoint is; the history up to there.

    Args:
        at: Only where that is at this position, (epochs done, steps done in the next).
    """
    from harness.costs import count_network

    history = History(
        id=job.trial.id,
        trial=job.trial,
        costs=count_network(job.trial.variant, job.size).metrics(),
        provenance=training.provenance()
        | {"shared": job.shared, "revision": job.revision}
        | ({TOGETHER: [list(job.company)]} if job.company else {}),
    )
    resumed = _resume(job, training, claim, at)
    if resumed is not None:
        provenance = _merge_provenance(resumed.provenance, history.provenance)
        history = resumed.model_copy(update={"provenance": provenance, "format": history.format})
    return history.model_copy(update={"provenance": history.provenance | {"attempts": claim.attempt.number}})


def _train(
    job: TrialGroup,
    training: Trainer,
    history: History,
    claim: Claim,
    outbox: Outbox | None,
    stopping: Stopping,
    cut: Stopping,
) -> Iterator[History]:
    """The epochs that are left; the last history comes once the outbox has had its time to publish it."""
    due = time.monotonic() + job.execution.checkpoint_seconds

    def pause() -> Pause:
        if stopping():
            return "stop"
        return "save" if time.monotonic() >= due else "no"

    for measured in training.run(pause) if not history.done else ():
        if measured is not None:
            number, metrics = measured
            history = history.extended(number, metrics, training.layers)
            if number == 0:
                # Measured in the first epoch, whose own row follows at once, also where that diverged.
                continue
            if training.diverged or number == job.trial.recipe.epochs:
                outcome = TrialStatus.DIVERGED if training.diverged else TrialStatus.FINISHED
                history = history.model_copy(update={"outcome": outcome, "provenance": _with_memory(history, training)})
        wanted = pause()
        if history.done or wanted != "no":
            with training.clocks("record"):
                if save_checkpoint(job, training, history, claim, stopping) and outbox is not None:
                    outbox.publish(history)
            due = time.monotonic() + job.execution.checkpoint_seconds
        if history.done:
            break
        if measured is not None:
            yield history
            if cut():
                history = history.model_copy(update={"outcome": TrialStatus.PRUNED})
                save_checkpoint(job, training, history, claim, stopping)
                break
        if wanted == "stop":
            if outbox is not None:
                outbox.close(STOP_SECONDS)
            return
    if outbox is not None:
        outbox.publish(history)
        if outbox.close(job.execution.drain_seconds):
            log_network(job, training, history, claim.note)
        else:
            claim.note(f"the store did not take its history yet: {outbox.last_error or 'it is slow'}")
    yield history


def save_checkpoint(job: TrialGroup, training: Trainer, history: History, claim: Claim, stopping: Stopping) -> bool:
    """Write a checkpoint. Between the ends of a trial one that fails costs nothing: it trains on, and says so.

    Raises:
        Superseded: The trial is another attempt's now.
        HarnessError: The last checkpoint cannot be written.
    """
    from harness.training.checkpoint import save

    started = time.monotonic()
    while True:
        try:
            claim.hold()
            checkpoint = Checkpoint(claim.attempt.number, *training.position)
            save(job.folder, checkpoint, history.model_dump_json().encode(), training.state())
            return True
        except HarnessError as error:
            claim.note(f"a checkpoint could not be written ({error.what}); it trains on")
            last, waited = history.done or stopping(), time.monotonic() - started
            if not last or (stopping() and waited > STOP_SECONDS and not history.done):
                return False
            if waited > (STOP_SECONDS if stopping() else PATIENCE):
                raise
            time.sleep(1)


def _resume(job: TrialGroup, training: Trainer, claim: Claim, at: tuple[int, int] | None = None) -> History | None:
    """Put the training at its newest checkpoint (of those ``at`` a position) that can be read whole; its history.

    Raises:
        HarnessError: A checkpoint is of another trial, or of a newer version.
    """
    from harness.training.checkpoint import load_state

    for checkpoint in checkpoints(job.folder):
        if at not in (None, checkpoint.position):
            continue
        where = f"{job.folder}/{checkpoint.name}"
        try:
            with job.folder.open(checkpoint.name) as file:
                history = read_journal(file, where, job.trial.id)
                state = None if history.done else load_state(file, where, training.device)
        except (NewerFormat, OtherTrial):
            raise
        except HarnessError as error:
            claim.note(f"{checkpoint.name} is damaged ({error.what}); what was before it is used")
            continue
        if claim.after_death:
            claim.note(f"its worker was lost; it goes on from epoch {checkpoint.epoch}, step {checkpoint.step}")
        if state is not None:
            training.resume(training.team.share_state(state, training.device))
        return history
    if claim.after_death:
        claim.note("its worker was lost before the first checkpoint; it begins anew")
    training.team.share_state({}, training.device)
    return None


def _with_memory(history: History, training: Trainer) -> dict[str, Any]:
    """Provenance with the memory that the trial took, for plans of others that share a device."""
    return history.provenance | {"memory": training.memory()}


def _merge_provenance(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Provenance of a trial over its attempts: a time that was shared once is shared, and what changed is said."""
    joined = {**before, "shared": bool(before.get("shared")) or bool(now["shared"])}
    for key in ("device", "software", "memory_format", "kernels"):
        if before.get(key) != now[key]:
            joined[key] = f"{before.get(key)}, then {now[key]}"
    companies, company = before.get(TOGETHER, [[]]), now.get(TOGETHER, [[]])[-1]
    if company != companies[-1]:
        joined[TOGETHER] = [*companies, company]
    return joined


def progress_of(job: TrialGroup, history: History, claim: Claim) -> Progress:
    last = history.epochs[-1]
    return Progress(
        history.id,
        "cut" if history.outcome is TrialStatus.PRUNED else history.outcome,
        last.epoch,
        last.metrics.get("train/error"),
        last.metrics.get("test/error"),
        last.metrics.get(job.metric) if job.metric else None,
        history.seconds,
        "; ".join(dict.fromkeys(claim.attempt.notes)),
    )
