"""Ray's own processes of a run on this machine: signals are not for them, and they end at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.02


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

        below, over = [], threading.Event()
        for child in self.started:
            with suppress(psutil.Error):
                below += child.children(recursive=True)
        # Ray decides when: a driver whose raylet is gone before it said goodbye may end itself.
        watch = threading.Thread(target=self._end_those_asked, args=(over,), name="ray-end", daemon=True)
        watch.start()
        try:
            ray.shutdown()
        finally:
            over.set()
            watch.join()
            for process in below:
                with suppress(psutil.Error):
                    process.kill()

    def _end_those_asked(self, over: threading.Event) -> None:
        import psutil

        while not over.wait(LOOK_SECONDS):
            for child in self.started:
                if _is_asked_to_end(child.pid):
                    with suppress(psutil.Error):
                        child.kill()


def _is_asked_to_end(pid: int) -> bool:
    """Whether a SIGTERM waits for a process that has it blocked; False where the system does not say (not Linux)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("ShdPnd:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


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
