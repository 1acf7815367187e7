"""Ray's own processes on this machine: no signal reaches them, and they end at once when the run is over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

POLL_SECONDS = 0.02
"""Pause between two looks at the processes that Ray ends."""


class RayProcesses:
    """The processes that Ray has started as children of this one.

    Ray itself ends them one after another, and waits a second for each that ignores SIGTERM, which all of them do here.
    """

    def __init__(self) -> None:
        self._children: list[psutil.Process] = []

    def start(self, init: Callable[[], object]) -> None:
        """Call ``init``, which starts Ray, and keep the processes that it has started."""
        before = psutil.Process().children()
        try:
            with keep_signals():
                init()
        finally:
            self._children = [child for child in psutil.Process().children() if child not in before]

    def end(self) -> None:
        """Disconnect from Ray, and end its processes and all their descendants."""
        import ray

        descendants, is_over = [], threading.Event()
        for child in self._children:
            with suppress(psutil.Error):
                descendants += child.children(recursive=True)
        # Ray decides when each process ends: a driver may end itself if the raylet is gone before it has disconnected.
        thread = threading.Thread(target=self._kill_terminated, args=(is_over,), name="ray-end", daemon=True)
        thread.start()
        try:
            ray.shutdown()
        finally:
            is_over.set()
            thread.join()
            for process in descendants:
                with suppress(psutil.Error):
                    process.kill()

    def kill(self) -> None:
        """Kill Ray's processes and all their descendants, after a start that failed or an end that did."""
        for child in self._children:
            with suppress(psutil.Error):
                for process in (*child.children(recursive=True), child):
                    process.kill()

    def _kill_terminated(self, is_over: threading.Event) -> None:
        """Kill each child as soon as Ray has sent it a SIGTERM, which it ignores."""
        while not is_over.wait(POLL_SECONDS):
            for child in self._children:
                if _has_pending_sigterm(child.pid):
                    with suppress(psutil.Error):
                        child.kill()


def _has_pending_sigterm(pid: int) -> bool:
    """Return whether a SIGTERM waits for a process that blocks it; False if the system is not Linux."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("ShdPnd:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


@contextmanager
def keep_signals() -> Iterator[None]:
    """Let signals reach only this process, which then asks the workers for checkpoints.

    Ray installs handlers that end the process with a stack trace; this restores the previous ones. A SIGTERM to the
    whole process group, as init systems send it, or the SIGHUP of a closed terminal, would end Ray's processes first.
    They inherit the signals that are blocked here, and block SIGINT themselves. They still end with this process, by
    SIGKILL.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
