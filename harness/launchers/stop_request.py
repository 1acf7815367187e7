"""A request to end early, which running trials answer with a checkpoint."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from harness.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Why and whether a run is to end: by Ctrl-C, by SIGTERM (as before a spot instance goes), or a time limit.

    Args:
        seconds: Time limit of the run, from now; None for none.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.signal: int | None = None
        self.reason = ""
        self.hands_off = False
        self._event = threading.Event()
        self._timer: threading.Timer | None = None
        if seconds is not None:
            self._timer = threading.Timer(seconds, self.ask, [f"the time limit of {timedelta(seconds=round(seconds))}"])
            self._timer.daemon = True
            self._timer.start()

    @property
    def asked(self) -> bool:
        """Whether an end is asked for."""
        return self._event.is_set()

    def ask(self, reason: str, hands_off: bool = False) -> None:
        """Ask for an end.

        Args:
            reason: In words.
            hands_off: Whether the record is somebody else's from now on.
        """
        self.reason = self.reason or reason
        self.hands_off |= hands_off
        self._event.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until an end is asked for."""
        return self._event.wait(seconds)

    def cancel(self) -> None:
        """The run is over: no limit any more."""
        if self._timer is not None:
            self._timer.cancel()

    def raise_if_interrupted(self) -> None:
        """Go on as the signal would have, now that checkpoints are written.

        Raises:
            Interrupted: There was a signal.
        """
        if self.signal is not None:
            raise Interrupted(self.signal)

    @contextmanager
    def on_signals(self, announce: Callable[[], None]) -> Iterator[None]:
        """Within: the first signal asks for an end (and is announced), the second ends the process at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def answer(number: int, frame: FrameType | None) -> None:
            if self.signal is not None:
                sys.stdout.flush()
                os._exit(128 + number)
            self.signal = number
            self.ask("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
            announce()

        before = {number: signal.signal(number, answer) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
