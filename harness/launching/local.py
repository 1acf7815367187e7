"""Ray's own processes of a run on this machine: signals are not for them, and they end at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

STORE = "gcs_server"
"""The one that a driver says goodbye to."""


class RayProcesses:
    """The processes that Ray starts below this one.

    By itself Ray ends them one after another, and waits a second for each that does not heed SIGTERM: none does here.
    """

    def __init__(self) -> None:
        self.started: list[Any] = []

    def start(self, init: Callable[[], Any]) -> None:
        """Call ``init`` and remember whom it started. It fails as ``init`` does."""
        # Ray's copy, where it is not installed: importing Ray puts that on the path.
        import psutil

        before = psutil.Process().children()
        try:
            with _signals_are_ours():
                init()
        finally:
            self.started = [child for child in psutil.Process().children() if child not in before]

    def end(self) -> None:
        """Disconnect from them; they and all below them are gone afterwards."""
        import psutil
        import ray

        for child in self.started:
            with suppress(psutil.NoSuchProcess):
                below = child.children(recursive=True)
                if child.name() != STORE:
                    child.kill()
                for process in below:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
        ray.shutdown()


@contextmanager
def _signals_are_ours() -> Iterator[None]:
    """Signals reach this process alone, which then asks the workers for their checkpoints.

    Ray puts handlers in place that end the process with a stack trace. And a SIGTERM to the whole group, as init
    systems send it, would end Ray's own processes first: they inherit what is blocked here (SIGINT they block
    themselves), and still go with this process, by SIGKILL.
    """
    handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for kind, handler in handlers.items():
                signal.signal(kind, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
