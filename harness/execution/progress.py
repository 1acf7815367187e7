"""The progress reports of a running trial to the launcher, the driver and the display."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.specs.experiment.trial_status import TrialStatus


@dataclass(frozen=True)
class Progress:
    """One report of a trial. The first report whose status is not RUNNING is the trial's last one.

    Attributes:
        trial: The trial's id.
        status: RUNNING, FINISHED, DIVERGED, PRUNED, INTERRUPTED, SUPERSEDED or FAILED.
        epoch: The number of epochs that are done.
        train_error: Online training error in percent.
        test_error: Test error in percent; None in an epoch without evaluation.
        score: The metric by which a search compares its trials; None outside a search.
        seconds: Time spent in training and evaluation.
        message: The reason of a failure or interruption, else what a user should know.
        traceback: The traceback of a failure.
        wrong_storage: Whether the worker's host sees another storage than the driver. Every trial would fail there.
        step: The number of steps that are done in the next epoch.
        steps: The number of steps of an epoch; 0 if it is not known.
        is_checkpointed: Whether an interrupted trial has a checkpoint from which it can be resumed.
    """

    trial: str
    status: TrialStatus
    epoch: int = 0
    train_error: float | None = None
    test_error: float | None = None
    score: float | None = None
    seconds: float = 0.0
    message: str = ""
    traceback: str = ""
    wrong_storage: bool = False
    step: int = 0
    steps: int = 0
    is_checkpointed: bool = False


ReportStep = Callable[[Progress], None]
"""Receives the position of a running trial inside an epoch, at most once a second. It must return at once."""


def ignore_step(progress: Progress) -> None:
    """Ignore the position of a running trial."""
