"""The driver's letters to the store, written by a thread of its own: a store that is away holds up no trial.

Workers wait for the driver whenever they report, so the driver itself never waits while trials run.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from types import TracebackType

Errand = Callable[[], None]


class BackgroundTasks:
    """Does errands one after the other; one that fails is left to the driver's last look over everything."""

    def __init__(self) -> None:
        self._errands: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()
        self._abandoned = False
        self._thread = threading.Thread(target=self._work, name="clerk", daemon=True)

    def __enter__(self) -> BackgroundTasks:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(0)

    def do(self, errand: Errand) -> None:
        """Hand over an errand; returns at once."""
        self._errands.put(errand)

    def finish(self, seconds: float) -> None:
        """Wait until all errands are done, or the time is over; none is begun after that."""
        self._errands.put(None)
        self._thread.join(seconds)
        self._abandoned = True

    def _work(self) -> None:
        while (errand := self._errands.get()) is not None and not self._abandoned:
            try:
                errand()
            except Exception:
                # Whatever it was, the driver's last look meets it again, and says so.
                logging.getLogger(__name__).debug("an errand failed", exc_info=True)
