"""A thread that writes to the tracking store, so that a store that does not answer delays no trial.

Workers wait for the driver whenever they report, so the driver must not wait for the store while trials run.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from types import TracebackType

Task = Callable[[], None]


class BackgroundTasks:
    """A queue of tasks and the thread that runs them in order.

    A task that raises is dropped. The driver settles the record at the end of the run and meets the same error there.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="background-tasks", daemon=True)

    def __enter__(self) -> BackgroundTasks:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(0)

    def submit(self, task: Task) -> None:
        """Queue a task and return at once."""
        self._queue.put(task)

    def close(self, seconds: float) -> None:
        """Wait up to ``seconds`` until the queued tasks are done. No further task starts after that."""
        self._queue.put(None)
        self._thread.join(seconds)
        self._is_closed = True

    def _run(self) -> None:
        while (task := self._queue.get()) is not None and not self._is_closed:
            try:
                task()
            except Exception:
                logging.getLogger(__name__).debug("a background task failed", exc_info=True)
