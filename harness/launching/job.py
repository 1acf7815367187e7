"""A job joins a trial, its checkpoint and its outbox. Both launchers loop over it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.specs import Execution, Resources, Trial
from harness.tracking.history import Epoch, History, newest_journal
from harness.tracking.outbox import Outbox


@dataclass(frozen=True)
class Job:
    """One trial to run, and all that a worker needs to know for it.

    Attributes:
        directory: The trial's checkpoints, an absolute path.
        uri: The tracking store; empty for none.
        run_id: The trial's MLflow run, which the driver has created.
        shared: Whether other trials use the device at the same time, so that its times are no measurement.
        size: Height and width of the images.
        revision: The project's git revision.
    """

    trial: Trial
    execution: Execution
    resources: Resources
    directory: Path
    uri: str
    run_id: str
    shared: bool
    size: tuple[int, int]
    revision: str


@dataclass(frozen=True)
class Progress:
    """What a launcher tells the display about a trial.

    ``outcome`` is ``running``, ``finished``, ``diverged`` or ``failed``; ``error`` is the online training error.
    """

    trial: str
    outcome: str
    epoch: int = 0
    error: float | None = None
    test_error: float | None = None
    seconds: float = 0.0
    message: str = ""
    trace: str = ""


def attempt(job: Job) -> Iterator[Progress]:
    """Run a job; an exception is that trial's failure, reported as its last progress, and nobody else's."""
    try:
        for history in run_job(job):
            yield _progress(history)
    except HarnessError as error:
        yield Progress(job.trial.id, "failed", message=str(error), trace=traceback.format_exc())
    except Exception as error:
        message = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        yield Progress(job.trial.id, "failed", message=message, trace=traceback.format_exc())


def run_job(job: Job) -> Iterator[History]:
    """Train from the newest checkpoint, commit, publish; yields the history after every epoch.

    What is published was committed before, so a history never holds two versions of an epoch.
    """
    # Only who trains pays for torch: planning, and finding that all is recorded, do without.
    from harness.costs import count
    from harness.training import Training
    from harness.training.checkpoint import load_state, save

    training = Training(job.trial, job.execution, job.resources)
    history = History(
        id=job.trial.id,
        trial=job.trial,
        costs=count(job.trial.variant, job.size).metrics(),
        provenance=training.provenance() | {"shared": job.shared, "revision": job.revision},
    )
    journal = newest_journal(job.directory)
    if journal is not None:
        history, checkpoint = journal
        training.resume(load_state(checkpoint, training.device))
    outbox = Outbox(job.uri, job.run_id) if job.uri else None
    committed = time.monotonic()
    if not history.done:
        for number, metrics in training.run():
            history = _extended(history, number, metrics)
            last = training.diverged or number == job.trial.recipe.epochs
            if last:
                history = history.model_copy(update={"outcome": "diverged" if training.diverged else "finished"})
            if number and (last or time.monotonic() - committed >= job.execution.checkpoint_seconds):
                with training.clocks("record"):
                    save(job.directory, number, history.model_dump_json().encode(), training.state())
                    committed = time.monotonic()
                    if outbox is not None:
                        outbox.publish(history)
            if not last:
                yield history
    elif outbox is not None:
        outbox.publish(history)
    if outbox is not None:
        outbox.close(job.execution.drain_seconds)
    yield history


def _extended(history: History, number: int, metrics: dict[str, float]) -> History:
    finite = {key: value if abs(value) < float("inf") else None for key, value in metrics.items()}
    epoch = Epoch(epoch=number, at=int(time.time() * 1000), metrics=finite)
    return history.model_copy(update={"epochs": (*history.epochs, epoch)})


def _progress(history: History) -> Progress:
    last = history.epochs[-1]
    seconds = sum(last.metrics.get(f"time/{clock}_s") or 0.0 for clock in ("train", "eval"))
    return Progress(
        history.id,
        history.outcome,
        last.epoch,
        last.metrics.get("train/error"),
        last.metrics.get("test/error"),
        seconds,
    )
