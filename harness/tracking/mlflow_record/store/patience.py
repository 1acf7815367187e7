"""How long a command waits for a store that does not answer: one rule for its start, its middle and its end."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from harness.errors import HarnessError, StoreUnavailable
from harness.tracking.mlflow_record.store.addresses import redact_passwords
from harness.tracking.mlflow_record.store.store_errors import convert_store_error

if TYPE_CHECKING:
    from mlflow import MlflowClient

Result = TypeVar("Result")
WAIT_VARIABLE = "DEPTHBENCH_STORE_WAIT"
"""Environment variable with the seconds that a command waits for a store."""
WAIT_SECONDS = 90.0
"""The same, where the variable is not set."""
RETRY_SECONDS = 1.0
"""Time between two tries."""
SILENT_SECONDS = 2.0
"""A shorter outage is not announced."""
NOT_REPEATABLE = ("create_run", "create_experiment")
"""Methods of MLflow's client that create a second object where they are called twice.

Their callers look first for what an earlier call created, because the answer to it may have been lost.
"""


def read_wait_seconds() -> float:
    """Return how long a command waits for a store that does not answer.

    Raises:
        HarnessError: The environment variable is not a number of seconds.
    """
    text = os.environ.get(WAIT_VARIABLE, "").strip()
    try:
        seconds = float(text) if text else WAIT_SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise HarnessError(
            f"'{text}' is not a number of seconds", where=WAIT_VARIABLE, remedy=f"Use for example {WAIT_SECONDS:g}."
        )
    return seconds


class Patience:
    """How long the calls of a command wait for its store. All threads of the command share one outage.

    Args:
        seconds: The longest outage to wait for; 0 to raise the first error.
        notify: Receives a message when the command begins to wait, and when the store answers again.
    """

    def __init__(self, seconds: float = 0.0, notify: Callable[[str], None] = lambda text: None) -> None:
        self.notify = notify
        self._seconds = seconds
        self._outage_start: float | None = None
        self._is_announced = False
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """The longest outage to wait for. A new value starts a new outage."""
        return self._seconds

    @seconds.setter
    def seconds(self, value: float) -> None:
        with self._lock:
            self._seconds, self._outage_start = value, None

    def retry(self, action: Callable[[], Result], address: str) -> Result:
        """Call ``action`` until the store answers; it has to be safe to call it twice.

        An action may contain calls that wait themselves: they share the outage, so the waits do not add up.

        Args:
            address: The store's address without a password, for the message.

        Raises:
            StoreUnavailable: The outage became too long.
        """
        first_failure: float | None = None
        while True:
            started = time.monotonic()
            try:
                result = action()
            except StoreUnavailable as error:
                first_failure = started if first_failure is None else first_failure
                is_too_long = time.monotonic() - first_failure >= self._seconds
                if is_too_long or not self._may_wait(error, started, address):
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                self._note_answer(address)
                return result

    def _may_wait(self, error: StoreUnavailable, started: float, address: str) -> bool:
        """Return whether to try again after a call that began at ``started`` on the monotonic clock."""
        with self._lock:
            if self._outage_start is None and self._seconds:
                self._outage_start = started
            if self._outage_start is None or time.monotonic() - self._outage_start >= self._seconds:
                return False
            is_long = time.monotonic() - self._outage_start >= min(SILENT_SECONDS, self._seconds)
            announces, self._is_announced = is_long and not self._is_announced, self._is_announced or is_long
        if announces:
            self.notify(f"waiting for the store {address}, up to {self._seconds:g} s (Ctrl-C ends this): {error.what}")
        return True

    def _note_answer(self, address: str) -> None:
        with self._lock:
            is_over, self._outage_start, self._is_announced = self._is_announced, None, False
        if is_over:
            self.notify(f"the store {address} answers again")


def patience_with_warnings() -> Patience:
    """Return the patience of a command without a display of its own: its messages are warnings.

    Raises:
        HarnessError: The environment variable is not a number of seconds.
    """
    return Patience(read_wait_seconds(), lambda text: warnings.warn(text, stacklevel=2))


class _PatientClient:
    """MLflow's client, whose calls are repeated while the store does not answer."""

    def __init__(self, client: MlflowClient, uri: str, patience: Patience) -> None:
        self._client, self._patience, self._address = client, patience, redact_passwords(uri)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name.startswith("_") or not callable(attribute):
            return attribute

        @wraps(attribute)
        def call(*arguments: Any, **named: Any) -> Any:
            def attempt() -> Any:
                try:
                    return attribute(*arguments, **named)
                except (HarnessError, TypeError, AttributeError, AssertionError):
                    raise
                except Exception as error:
                    remedy = "Run the same command again when the store answers; nothing that was trained is lost."
                    raise convert_store_error(error, f"--tracking-uri {self._address}", remedy) from error

            return attempt() if name in NOT_REPEATABLE else self._patience.retry(attempt, self._address)

        return call


def patient_client(client: MlflowClient, uri: str, patience: Patience) -> MlflowClient:
    """Return a client that waits for the store as ``patience`` says, and raises this project's errors.

    The methods in :data:`NOT_REPEATABLE` are not repeated.
    """
    return cast("MlflowClient", _PatientClient(client, uri, patience))
