"""A job of several seeds: each trial has its claim, journal, outbox and end; only the steps are taken together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.execution.attempts import Claim
from harness.execution.optional_outputs import log_network, sample_system
from harness.execution.runner import STOP_SECONDS, Progress, Stopping, TrialGroup, failure_progress, progress_of, restore, save_checkpoint
from harness.io.storage import checkpoints
from harness.specs import Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History
from harness.tracking.mlflow_record.publisher import Outbox
from harness.tracking.outcome_names import outcome_name

if TYPE_CHECKING:
    from harness.training import Trainer
    from harness.training.distributed import Pause

Caught = Callable[[Exception], None]


@dataclass
class EnsembleMember:
    """One of the trials; an exception of its own ends it alone.

    Attributes:
        last: Its last progress, once it has come to an end here.
    """

    job: TrialGroup
    claim: Claim
    training: Trainer
    history: History
    outbox: Outbox | None
    last: Progress | None = None

    def fail(self, error: Exception, caught: Caught) -> Progress:
        self.last = failure_progress(error, self.job, self.claim, caught)
        return self.last

    def stop(self) -> Progress:
        self.claim.end("stopped")
        begun = progress_of(self.job, self.history, self.claim) if self.history.epochs else None
        last = begun or Progress(self.job.trial.id, "stopped")
        self.last = replace(last, outcome="stopped", message=self.claim.where_stopped())
        return self.last

    def finish(self, until: float) -> Progress:
        """Wait for the store as long as there is time; what it does not take is in the checkpoint."""
        if self.outbox is not None:
            if self.outbox.close(max(until - time.monotonic(), 0)):
                log_network(self.job, self.training, self.history, self.claim.note)
            else:
                reason = self.outbox.last_error or "it is slow"
                self.claim.note(f"the store did not take its history yet: {reason}")
        self.claim.end(outcome_name(self.history.outcome))
        self.last = progress_of(self.job, self.history, self.claim)
        return self.last


def run_seed_ensemble(job: TrialGroup, stopping: Stopping, caught: Caught) -> Iterator[Progress]:
    """Run a job of several trials; the last progress of each is its end, as :func:`harness.execution.runner.run_group`."""
    if stopping():
        yield from (Progress(one.trial.id, "stopped", message="before it began") for one in job.each)
        return
    from harness.training.memory_errors import explain_oom

    with ExitStack() as keep:
        seats: list[EnsembleMember] = []
        for one in job.each:
            claim: Claim | None = None
            try:
                claim = one.claim(stopping)
                seats.append(_seat(one, claim, keep))
            except Exception as error:
                yield failure_progress(error, one, claim, caught)
        try:
            yield from _finished([seat for seat in seats if seat.history.done])
            _step_back([seat for seat in seats if seat.last is None])
            for part in _by_position([seat for seat in seats if seat.last is None]):
                with explain_oom(job.trial, job.size, len(job.company)):
                    yield from _train(part, job.company, stopping, caught)
        except Exception as error:
            for seat in seats:
                if seat.last is None:
                    yield seat.fail(error, caught)
        for seat in seats:
            if seat.last is None:
                yield seat.stop()


def _seat(job: TrialGroup, claim: Claim, keep: ExitStack) -> EnsembleMember:
    training, history = _begun(job, claim)
    outbox = Outbox(job.uri, job.run_id) if job.uri else None
    if outbox is not None:
        keep.callback(outbox.close, 0)
    keep.enter_context(sample_system(job, claim.note))
    return EnsembleMember(job, claim, training, history, outbox)


def _begun(job: TrialGroup, claim: Claim, at: tuple[int, int] | None = None) -> tuple[Trainer, History]:
    from harness.training import Trainer
    from harness.training.memory_errors import explain_oom

    with explain_oom(job.trial, job.size):
        training = Trainer(job.trial, job.execution, job.resources)
        return training, restore(job, training, claim, at)


def _step_back(seats: Sequence[EnsembleMember]) -> None:
    """Take all to the newest position that each has a checkpoint of, where a kill came between two of their writes.

    Each keeps its last two, and all are written in one go: who is one ahead still has the one before. Nothing of it is
    lost or published, since publishing waits until all are written.
    """
    if len({seat.training.position for seat in seats}) < 2:
        return
    known = []
    for seat in seats:
        found = {checkpoint.position for checkpoint in checkpoints(seat.job.folder)}
        # Only one: it is the first, and what was before it is the beginning.
        known.append(found | ({(0, 0)} if len(found) < 2 else set()))
    common = set.intersection(*known)
    for seat in seats:
        if common and seat.training.position != max(common):
            seat.training, seat.history = _begun(seat.job, seat.claim, max(common))


def _by_position(seats: Sequence[EnsembleMember]) -> list[list[EnsembleMember]]:
    """Those that stand at one position go on together; where damage parted them, one part after the other."""
    parts: dict[tuple[int, int], list[EnsembleMember]] = {}
    for seat in seats:
        parts.setdefault(seat.training.position, []).append(seat)
    return list(parts.values())


def _train(
    seats: Sequence[EnsembleMember], company: Sequence[int], stopping: Stopping, caught: Caught
) -> Iterator[Progress]:
    """The epochs that are left of seats at one position, in slots of the whole company."""
    from harness.training import Trainer
    from harness.training.seed_ensemble import SeedEnsemble

    first = seats[0].job
    fields = {name: getattr(first.trial, name) for name in Trial.model_fields}
    own = {seat.job.trial.seed: seat.training for seat in seats}
    at = {company.index(seat.job.trial.seed): seat for seat in seats}
    trainings = [
        own.get(seed) or Trainer(Trial(**{**fields, "seed": seed}), first.execution, first.resources)
        for seed in company
    ]
    joint = SeedEnsemble(trainings, sorted(at))
    due = time.monotonic() + first.execution.checkpoint_seconds

    def pause() -> Pause:
        if stopping():
            return "stop"
        return "save" if time.monotonic() >= due else "no"

    for rows in joint.run(pause):
        for slot, (number, metrics, layers) in rows or ():
            seat = at[slot]
            seat.history = seat.history.extended(number, metrics, layers)
            if seat.training.diverged or number == seat.job.trial.recipe.epochs:
                outcome = TrialStatus.DIVERGED if seat.training.diverged else TrialStatus.FINISHED
                # Of the process' peak each has its share.
                memory = {**seat.training.memory()}
                memory["peak"] //= len(company)
                provenance = seat.history.provenance | {"memory": memory}
                seat.history = seat.history.model_copy(update={"outcome": outcome, "provenance": provenance})
        here, wanted = [seat for seat in at.values() if seat.last is None], pause()
        done = [seat for seat in here if seat.history.done]
        if done or wanted != "no":
            yield from _committed(here, stopping, caught)
            due = time.monotonic() + first.execution.checkpoint_seconds
        if rows is not None:
            going = [seat for seat in here if seat.last is None and not seat.history.done]
            yield from (progress_of(seat.job, seat.history, seat.claim) for seat in going)
        yield from _finished([seat for seat in done if seat.last is None])
        for slot in [slot for slot, seat in at.items() if seat.last is not None]:
            joint.leave(slot)
        if wanted == "stop" or not joint.live:
            until = time.monotonic() + STOP_SECONDS
            for seat in here:
                if seat.last is None and seat.outbox is not None:
                    seat.outbox.close(max(until - time.monotonic(), 0))
            return


def _committed(seats: Sequence[EnsembleMember], stopping: Stopping, caught: Caught) -> Iterator[Progress]:
    """Write a checkpoint of each, then publish: what a store has seen, no trial goes back behind.

    A trial that another attempt has, or whose last checkpoint cannot be written, ends; the others go on.
    """
    written = []
    for seat in seats:
        try:
            with seat.training.clocks("record"):
                if save_checkpoint(seat.job, seat.training, seat.history, seat.claim, stopping):
                    written.append(seat)
        except Exception as error:
            yield seat.fail(error, caught)
    for seat in written:
        if seat.outbox is not None:
            seat.outbox.publish(seat.history)


def _finished(seats: Sequence[EnsembleMember]) -> Iterator[Progress]:
    """Publish what is left of trials that are done, all of them at once, and end them."""
    for seat in seats:
        if seat.outbox is not None:
            seat.outbox.publish(seat.history)
    until = time.monotonic() + max((seat.job.execution.drain_seconds for seat in seats), default=0.0)
    for seat in seats:
        yield seat.finish(until)
