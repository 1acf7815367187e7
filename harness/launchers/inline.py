"""The launcher without Ray: it runs one trial group after the other in this process, for example for a debugger."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.execution.runner import run_group
from harness.execution.trial_group import TrialGroup
from harness.execution.trial_workers import WorkerLost
from harness.launchers.base import ReportProgress
from harness.launchers.stop_request import StopRequest


def launch(
    groups: Sequence[TrialGroup],
    concurrency: int,
    report: ReportProgress,
    stop: StopRequest,
    on_error: Callable[[Exception], None] = lambda error: None,
) -> None:
    """Run the groups in their order; a :class:`harness.launchers.base.Launcher`.

    Args:
        concurrency: Ignored, because one group runs at a time.
        on_error: Receives each exception that ends a trial, for a debugger.
    """
    for group in groups:
        if stop.is_requested:
            return
        while True:
            try:
                for progress in run_group(group, lambda: stop.is_requested, on_error, report_step=report):
                    report(progress)
                break
            except WorkerLost:
                # The next attempt resumes from the checkpoint. It fails if too many workers have died there.
                continue
