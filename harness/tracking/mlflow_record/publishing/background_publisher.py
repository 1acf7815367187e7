"""A thread that sends a trial's history to MLflow, so that a slow or unreachable store costs no training time."""

from __future__ import annotations

import threading

from harness.tracking.history import History
from harness.tracking.mlflow_record.publishing.history_publisher import HistoryPublisher
from harness.tracking.mlflow_record.run_creation import NewRun, find_or_create_run
from harness.tracking.mlflow_record.store.client import create_client
from harness.tracking.mlflow_record.store.store_errors import redact_message

FIRST_WAIT, LONGEST_WAIT, CLOSING_WAIT = 0.5, 30.0, 2.0
"""Seconds between two tries: after the first failure, at most, and at most while ``close`` waits."""


class BackgroundPublisher:
    """Sends the newest history of a trial in a thread of its own, and tries again until the store takes it.

    Args:
        uri: The tracking store.
        run_id: The trial's run; empty if the trial has none yet.
        new_run: The run to create in that case.
        started: When the trial's first attempt began, in milliseconds since 1970.

    Attributes:
        run_id: The trial's run; empty until it exists.
    """

    def __init__(self, uri: str, run_id: str, new_run: NewRun | None = None, started: int = 0) -> None:
        self.uri, self.run_id, self.new_run, self.started = uri, run_id, new_run, started
        self.last_error = ""
        self._newest: History | None = None
        self._condition = threading.Condition()
        self._is_closing = self._is_abandoned = False
        self._all_sent = threading.Event()
        self._thread = threading.Thread(target=self._send_until_closed, name="publisher", daemon=True)
        self._thread.start()

    def publish(self, history: History) -> None:
        """Replace the history to be sent by a newer one, which a checkpoint holds already; return at once."""
        with self._condition:
            self._newest = history
            self._condition.notify()

    def close(self, seconds: float) -> bool:
        """Wait until the newest history is sent and, where it is complete, its run is ended; then stop the thread.

        Returns:
            False where the store did not take it in time. The checkpoint still holds it, and the driver or the next
            ``harness run`` publishes it.
        """
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        is_sent = self._all_sent.wait(seconds)
        with self._condition:
            self._is_abandoned = True
            self._condition.notify()
        return is_sent

    def _send_until_closed(self) -> None:
        publisher: HistoryPublisher | None = None
        sent: History | None = None
        wait = FIRST_WAIT
        while True:
            with self._condition:
                while self._newest is sent and not self._is_closing:
                    self._condition.wait()
                history = self._newest
                if history is sent:
                    self._all_sent.set()
                    return
            assert history is not None
            try:
                publisher = publisher or self._open_run()
                publisher.finish(history) if history.is_complete else publisher.send(history)
                sent, wait = history, FIRST_WAIT
            except Exception as error:
                # Whatever failed, the checkpoint keeps the history: try again, each time after a longer wait.
                self.last_error = redact_message(error)
                if self._wait_to_try_again(wait):
                    return
                wait = min(2 * wait, LONGEST_WAIT)

    def _open_run(self) -> HistoryPublisher:
        """Return the publisher of the trial's run, which is created if it does not exist."""
        client = create_client(self.uri)
        if not self.run_id and self.new_run is not None:
            self.run_id = find_or_create_run(client, self.new_run, self.started).info.run_id
        return HistoryPublisher(client, self.run_id)

    def _wait_to_try_again(self, seconds: float) -> bool:
        """Wait before the next try, and return whether the thread is to end instead.

        While ``close`` waits, this takes at most :data:`CLOSING_WAIT`.
        """
        with self._condition:
            if not self._is_closing:
                self._condition.wait_for(lambda: self._is_closing, seconds)
                return self._is_abandoned
            return self._condition.wait_for(lambda: self._is_abandoned, min(seconds, CLOSING_WAIT))
