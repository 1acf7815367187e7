"""The launcher without Ray: one trial after the other, in this process. For debugging, and where Ray is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.launching.crew import WorkerLost
from harness.launching.driver import Report
from harness.launching.job import Job, attempt
from harness.launching.stop import Stop


def launch(
    jobs: Sequence[Job],
    concurrency: int,
    report: Report,
    stop: Stop,
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
                for progress in attempt(job, lambda: stop.asked, caught):
                    report(progress)
                break
            except WorkerLost:
                # The next attempt goes on from its checkpoint, and knows when to give up.
                continue
