"""A trial's entry in the record."""

from __future__ import annotations

from dataclasses import dataclass

from harness.specs.experiment.trial_status import TrialStatus


@dataclass(frozen=True)
class RecordedTrial:
    """A trial's entry in the record: its run in MLflow, or its newest history without MLflow.

    Attributes:
        run_id: Its run in MLflow; empty without MLflow.
        status: FINISHED, DIVERGED or PRUNED once its whole history is recorded; else NEW, RUNNING, INTERRUPTED or
            FAILED.
        run_status: MLflow's own word for the state of the run, for users who look at it there.
        name: Its label, such as ``cifar-resnet20 seed 1``.
        error: Why it failed, was interrupted or was superseded; empty otherwise.
        seconds: Time on its training and evaluation clocks.
        memory: The most bytes that it used, and the bytes of its device; 0 where that is not known.
        at: When it ended, else when it was created, in milliseconds since 1970; 0 where that is not known.
    """

    run_id: str
    status: TrialStatus = TrialStatus.NEW
    run_status: str = ""
    name: str = ""
    error: str = ""
    seconds: float = 0.0
    memory: tuple[int, int] = (0, 0)
    at: int = 0

    @property
    def is_recorded(self) -> bool:
        """Whether the trial came to its end and its whole history is recorded."""
        return self.status.is_complete

    @property
    def has_begun(self) -> bool:
        """Whether a process began to train it."""
        return self.status is not TrialStatus.NEW
