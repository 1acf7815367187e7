"""The launcher without Ray: one trial after the other, in this process. For debugging, and where Ray is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.execution.runner import TrialGroup, run_group
from harness.execution.worker_group import WorkerLost
from harness.launchers.base import ReportProgress
from harness.launchers.stop_request import StopRequest


def launch(
    jobs: Sequence[TrialGroup],
    concurrency: int,
    report: ReportProgress,
    stop: StopRequest,
    caught: Callable[[Exception], None] = lambda error: None,
) -> None:
    """Run the jobs in their order.

    Args:
        caught: Told of what ends a trial, for a debugger.
    """
    for job in jobs:
        if stop.asked:
            return
        while True:
            try:
                for progress in run_group(job, lambda: stop.asked, caught):
                    report(progress)
                break
            except WorkerLost:
                # The next attempt goes on from its checkpoint, and knows when to give up.
                continue
