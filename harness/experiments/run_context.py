"""The context of a run, which all of its steps share."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from harness.io.storage import Folder
from harness.launchers.base import Launcher
from harness.launchers.stop_request import StopRequest
from harness.settings import Settings
from harness.tracking.lock import ExperimentLock
from harness.tracking.record import Record


@dataclass(frozen=True)
class RunContext:
    """The places, the lock and the options of a run.

    Attributes:
        record: The record of the experiment.
        storage: The folder of all checkpoints.
        settings: The user's settings.
        console: Shows progress and messages.
        stop: The request to end the run early.
        lock: The lock on the experiment, which the run holds.
        force: Whether recorded trials are trained again. Their earlier runs and checkpoints are archived first.
        is_whole_experiment: Whether the plans cover the whole experiment. Only then does the record keep the
            experiment's settings, and note how the run ended.
        inline_launcher: Replaces the inline launcher, for example to open a debugger; None for the usual one.
    """

    record: Record
    storage: Folder
    settings: Settings
    console: Console
    stop: StopRequest
    lock: ExperimentLock
    force: bool = False
    is_whole_experiment: bool = True
    inline_launcher: Launcher | None = None

    def notify(self, text: str) -> None:
        """Print a message on the console: whole lines between words on a terminal, unbroken elsewhere."""
        self.console.print(text, soft_wrap=not self.console.is_terminal)
