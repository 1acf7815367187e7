"""The positions of running trials inside an epoch, on their way from the workers to the driver.

They do not use Tune's reports: a report of Tune waits for the driver, and would count as training time. A worker sends
a position to the actor of the stop signal and does not wait. The driver asks the actor once a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from harness.execution.progress import Progress, ReportStep
from harness.launchers.base import ReportProgress

ASK_SECONDS = 1.0
"""Pause between two questions of the driver."""
REPLY_SECONDS = 10.0
"""How long the actor may take to reply, for example while it is restarted."""


def step_sender(signal: Any) -> ReportStep:
    """Return a function with which a worker sends positions.

    Args:
        signal: The handle of the stop signal.
    """

    def send(progress: Progress) -> None:
        with suppress(Exception):
            signal.report_step.remote(progress.trial, asdict(progress))

    return send


@contextmanager
def receive_steps(signal: Any, report: ReportProgress) -> Iterator[None]:
    """Report the positions that workers send, in a thread, until the end of the block."""
    is_over = threading.Event()
    thread = threading.Thread(target=_ask, args=(signal, report, is_over), name="step-reports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(REPLY_SECONDS)


def _ask(signal: Any, report: ReportProgress, is_over: threading.Event) -> None:
    import ray

    while not is_over.wait(ASK_SECONDS):
        with suppress(Exception):
            for fields in ray.get(signal.take_steps.remote(), timeout=REPLY_SECONDS):
                if not is_over.is_set():
                    report(Progress(**fields))
