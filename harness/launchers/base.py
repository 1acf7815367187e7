"""The interface of every launcher: what it runs, and how it reports and stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from harness.execution.progress import Progress
from harness.execution.trial_group import TrialGroup
from harness.launchers.stop_request import StopRequest

ReportProgress = Callable[[Progress], None]
"""Receives each progress that a trial reports."""
Notify = Callable[[str], None]
"""Receives a line of text for the user."""


class Launcher(Protocol):
    """Runs trial groups and reports the progress of their trials.

    Trials may end in any order. After a stop request, a launcher starts no further group, lets each running trial write
    a checkpoint, and returns.
    """

    def __call__(
        self, groups: Sequence[TrialGroup], concurrency: int, report: ReportProgress, stop: StopRequest
    ) -> None: ...
