"""The request to end a run early, by Ctrl-C, a signal or a time limit. Running trials then save a checkpoint."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from harness.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""SIGINT is Ctrl-C. Clouds send SIGTERM before they take a spot instance away. SIGHUP: the terminal was closed."""
SIGNAL_NAMES: dict[int, str] = {signal.SIGINT: "Ctrl-C", signal.SIGHUP: "a closed terminal"}
"""Words for a signal, if its own name is not the usual one."""


class StopRequest:
    """The request to end a run early: whether there is one, and its reason.

    Args:
        seconds: Time limit of the run, from now; None for no limit.

    Attributes:
        signal: The number of the signal that requested the stop; None if no signal did.
        reason: Why the run has to end; empty as long as it has not.
        lost_lock: Whether another process holds the experiment's lock now, so that the record must not be changed.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.signal: int | None = None
        self.reason = ""
        self.lost_lock = False
        self._event = threading.Event()
        self._timer: threading.Timer | None = None
        self._seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self.resume()

    def resume(self) -> None:
        """Start the time limit, or start it again after :meth:`cancel`, for a run of several parts."""
        self.cancel()
        if self._deadline is None or self._seconds is None:
            return
        reason = f"the time limit of {timedelta(seconds=round(self._seconds))}"
        self._timer = threading.Timer(max(self._deadline - time.monotonic(), 0), self.request, [reason])
        self._timer.daemon = True
        self._timer.start()

    @property
    def is_requested(self) -> bool:
        """Whether the run has to end."""
        return self._event.is_set()

    def request(self, reason: str, lost_lock: bool = False) -> None:
        """Request the end of the run. The first reason is kept.

        Args:
            reason: Why, in words.
            lost_lock: Whether another process holds the experiment's lock now.
        """
        self.reason = self.reason or reason
        self.lost_lock |= lost_lock
        self._event.set()

    def cancel(self) -> None:
        """Cancel the time limit, because the run or a part of it is over."""
        if self._timer is not None:
            self._timer.cancel()

    def raise_if_interrupted(self, message: str = "") -> None:
        """End the process as its signal would have done, after the checkpoints are written.

        Args:
            message: What is kept, for the user; empty for a general sentence.

        Raises:
            Interrupted: A signal requested the stop.
        """
        if self.signal is not None:
            interrupt = Interrupted(self.signal)
            interrupt.message = message or interrupt.message
            raise interrupt

    @contextmanager
    def on_signals(self, announce: Callable[[], None]) -> Iterator[None]:
        """Turn the first signal in the block into a stop request; the second one ends the process at once.

        SIGHUP is never the second one: the kernel and the shell may each send one for the same closed terminal. A
        SIGHUP that is ignored, as by nohup, stays ignored.

        Args:
            announce: Called after the first signal, for the user.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            if self.signal is not None:
                if number == signal.SIGHUP:
                    return
                sys.stdout.flush()
                os._exit(128 + number)
            self.signal = number
            self.request(SIGNAL_NAMES.get(number, signal.Signals(number).name))
            announce()

        is_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        numbers = [number for number in SIGNALS if number != signal.SIGHUP or not is_ignored]
        handlers = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
