"""One trial of a trial group while it runs: its claim, trainer, history and publisher, and how it ends."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.execution.checkpointing import IsStopping, restore, save_checkpoint
from harness.execution.claim import Claim, Superseded
from harness.execution.optional_outputs import log_network, sample_system
from harness.execution.progress import Progress
from harness.execution.trial_group import TrialTask
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage_mark import WrongStorage
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History
from harness.tracking.metrics import ONLINE_TRAINING_ERROR, TEST_ERROR
from harness.tracking.mlflow_record.publishing.background_publisher import BackgroundPublisher
from harness.tracking.mlflow_record.store.store_errors import redact_message

if TYPE_CHECKING:
    from harness.training.distributed import ProcessGroup
    from harness.training.epoch import EpochResult
    from harness.training.trainer import Trainer

FAILURE_SECONDS = 2.0
"""How long a failed trial waits for what its publisher sends at the moment."""
OnError = Callable[[Exception], None]
"""Receives the exception that ended a trial, for a debugger."""


class GroupMember:
    """One trial of a group that this process has claimed.

    Args:
        ensemble_seeds: The seeds that train together; empty for a trial that trains alone.

    Attributes:
        trainer: The trainer; set by :meth:`begin`.
        history: The measurements so far; set by :meth:`begin`.
        publisher: Sends the history to the store; None if the record is kept without MLflow.
        last_progress: The report with which the trial ended in this process; None until then.
    """

    trainer: Trainer
    history: History

    def __init__(self, task: TrialTask, claim: Claim, ensemble_seeds: Sequence[int]) -> None:
        self.task, self.claim, self.ensemble_seeds = task, claim, ensemble_seeds
        self.publisher: BackgroundPublisher | None = None
        self.last_progress: Progress | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the trial has reported its last progress."""
        return self.last_progress is not None

    def begin(self, process_group: ProcessGroup, outputs: ExitStack) -> None:
        """Restore the trial, and start to publish its history and to sample the system if it asks for that.

        Args:
            outputs: Closes the publisher and the sampler when the group ends.

        Raises:
            HarnessError: The trial cannot be trained here, or its checkpoints cannot be used.
        """
        self.restore(process_group)
        if self.task.tracking_uri:
            task = self.task
            self.publisher = BackgroundPublisher(task.tracking_uri, task.run_id, task.new_run, self.history.started)
            outputs.callback(self.publisher.close, 0)
        outputs.enter_context(sample_system(self.task, self.history.started, self.claim.add_note))

    def restore(self, process_group: ProcessGroup, position: tuple[int, int] | None = None) -> None:
        """Build the trainer, and restore it from the newest checkpoint, or from the newest one at ``position``."""
        from harness.training.memory import explain_oom
        from harness.training.trainer import Trainer

        task = self.task
        with explain_oom(task.trial, task.image_size):
            self.trainer = Trainer(task.trial, task.execution, task.resources, process_group)
            self.history = restore(task, self.trainer, self.claim, self.ensemble_seeds, position)

    def add_result(self, result: EpochResult) -> None:
        """Add an epoch to the history, and complete the history after the trial's last epoch."""
        self.history = self.history.with_epoch(result.epoch, result.metrics, result.layers)
        if self.trainer.diverged or result.epoch == self.task.trial.recipe.epochs:
            outcome = TrialStatus.DIVERGED if self.trainer.diverged else TrialStatus.FINISHED
            memory = {**self.trainer.memory()}
            # The process's peak memory is shared by all seeds that it trains.
            memory["peak"] //= max(len(self.ensemble_seeds), 1)
            is_shared = self.history.provenance["shared"] or self.trainer.timers.cores.is_shared
            provenance = self.history.provenance | {"memory": memory, "shared": is_shared}
            self.history = self.history.model_copy(update={"outcome": outcome, "provenance": provenance})

    def prune(self) -> None:
        """Complete the history early, as the scheduler of a search has decided."""
        self.history = self.history.model_copy(update={"outcome": TrialStatus.PRUNED})

    def save(self, is_stopping: IsStopping) -> bool:
        """Write a checkpoint, timed as recording; return and raise as :func:`save_checkpoint` does."""
        with self.trainer.timers.measure("record"):
            return save_checkpoint(self.task, self.trainer, self.history, self.claim, is_stopping)

    def publish(self) -> None:
        """Let the publisher send the history in the background."""
        if self.publisher is not None:
            self.publisher.publish(self.history)

    def progress(self) -> Progress:
        """Return the report of the newest epoch."""
        last = self.history.epochs[-1]
        metric = self.task.search_metric
        return Progress(
            self.history.id,
            self.history.outcome,
            last.epoch,
            last.metrics.get(ONLINE_TRAINING_ERROR),
            last.metrics.get(TEST_ERROR),
            last.metrics.get(metric) if metric else None,
            self.history.seconds,
            "; ".join(dict.fromkeys(self.claim.attempt.notes)),
        )

    def step_progress(self) -> Progress:
        """Return the report of the position inside the epoch. It waits for no device."""
        epoch, step = self.trainer.position
        notes = "; ".join(dict.fromkeys(self.claim.attempt.notes))
        latest = self.progress() if self.history.epochs else Progress(self.task.trial.id, TrialStatus.RUNNING)
        # A scheduler compares scores, and must see each one only once.
        return replace(latest, epoch=epoch, step=step, steps=self.trainer.steps, score=None, message=notes)

    def finish(self, deadline: float) -> Progress:
        """End a trial whose history is complete and saved, and return its last report.

        Args:
            deadline: Until when to wait for the store, on the monotonic clock. The checkpoint keeps what the store has
                not accepted by then.
        """
        if self.publisher is not None:
            if self.publisher.close(max(deadline - time.monotonic(), 0)):
                log_network(self.task, self.publisher.run_id, self.trainer, self.history, self.claim.add_note)
            else:
                reason = self.publisher.last_error or "it is slow"
                self.claim.add_note(f"the store has not accepted its history yet: {reason}")
        self.claim.end(self.history.outcome)
        self.last_progress = self.progress()
        return self.last_progress

    def interrupt(self) -> Progress:
        """End a trial that a stop request interrupted, and return its last report."""
        self.claim.end(TrialStatus.INTERRUPTED)
        latest = self.progress() if self.history.epochs else Progress(self.task.trial.id, TrialStatus.RUNNING)
        message = self.claim.describe_resume_point()
        self.last_progress = replace(
            latest, status=TrialStatus.INTERRUPTED, message=message, is_checkpointed=self._has_checkpoint()
        )
        return self.last_progress

    def _has_checkpoint(self) -> bool:
        try:
            return bool(list_checkpoints(self.task.folder))
        except HarnessError:
            return False

    def fail(self, error: Exception, on_error: OnError) -> Progress:
        """End a trial that an exception stopped, and return its last report."""
        if self.publisher is not None:
            # The driver will set the run's status: nothing may change it afterwards.
            self.publisher.close(FAILURE_SECONDS)
        self.last_progress = end_with_error(error, self.task, self.claim, on_error)
        return self.last_progress


def end_with_error(error: Exception, task: TrialTask, claim: Claim | None, on_error: OnError) -> Progress:
    """End a trial's attempt with the exception that stopped it, and return the trial's last report.

    Args:
        claim: The trial's claim; None if the claim itself failed.
    """
    if isinstance(error, Superseded):
        # The attempt that has the trial now reports its end. Here nothing has failed.
        if claim is not None:
            claim.end(TrialStatus.SUPERSEDED)
        return Progress(task.trial.id, TrialStatus.SUPERSEDED, message=str(error))
    on_error(error)
    trace = "".join(traceback.format_exception(error))
    message = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {redact_message(error)}"
    if claim is not None:
        claim.end(TrialStatus.FAILED, message, trace)
    return Progress(
        task.trial.id,
        TrialStatus.FAILED,
        message=message,
        traceback=trace,
        wrong_storage=isinstance(error, WrongStorage),
    )
