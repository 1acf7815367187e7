"""A job joins a trial, its checkpoint and its outbox. Both launchers loop over it."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.files import checkpoints
from harness.specs import Execution, Resources, Trial
from harness.tracking.history import Epoch, History, read_journal
from harness.tracking.outbox import Outbox

if TYPE_CHECKING:
    from harness.training import Training


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

    training = Training(job.trial, job.execution, job.resources)
    history = History(
        id=job.trial.id,
        trial=job.trial,
        costs=count(job.trial.variant, job.size).metrics(),
        provenance=training.provenance() | {"shared": job.shared, "revision": job.revision},
    )
    resumed = _newest(job.directory, training)
    if resumed is not None:
        history = resumed.model_copy(update={"provenance": _joined(resumed.provenance, history.provenance)})
    outbox = Outbox(job.uri, job.run_id) if job.uri else None
    try:
        yield from _train(job, training, history, outbox)
    finally:
        if outbox is not None:
            outbox.close(0)


def _train(job: Job, training: Training, history: History, outbox: Outbox | None) -> Iterator[History]:
    """The epochs that are left; the last history comes once the outbox has had its time to publish it."""
    from harness.training.checkpoint import save

    committed = time.monotonic()
    for number, metrics in training.run() if not history.done else ():
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
    if outbox is not None:
        outbox.publish(history)
        outbox.close(job.execution.drain_seconds)
    yield history


def _newest(directory: Path, training: Training) -> History | None:
    """Put the training at its newest checkpoint that can be read whole; its history, or None."""
    from harness.training.checkpoint import load_state

    for checkpoint in checkpoints(directory):
        try:
            history, state = read_journal(checkpoint), load_state(checkpoint, training.device)
        except HarnessError as error:
            warnings.warn(f"{error}; falling back to the checkpoint before", stacklevel=2)
            continue
        training.resume(state)
        return history
    return None


def _joined(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Provenance of a trial over its attempts: a time that was shared once is shared, and what changed is said."""
    joined = {**before, "shared": bool(before.get("shared")) or bool(now["shared"])}
    for key in ("device", "software", "memory_format", "kernels"):
        if before.get(key) != now[key]:
            joined[key] = f"{before.get(key)}, then {now[key]}"
    return joined


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
