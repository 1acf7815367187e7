"""Errors of MLflow and of its databases as errors of this project, and repeating what failed for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from harness.errors import HarnessError, StoreUnavailable
from harness.tracking.mlflow_record.store.addresses import redact_passwords

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
PERMANENT = {
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "BAD_REQUEST",
}
"""MLflow's error codes for which it is useless to try again."""
CREDENTIALS_REMEDY = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"


def wrap_store_errors(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorate a function that calls the store: it raises a HarnessError where the store's library raises its own."""

    @wraps(method)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        try:
            return method(*arguments, **named)
        except (HarnessError, TypeError, AttributeError, AssertionError):
            # The last three are mistakes in this project's code, so trying again would not help.
            raise
        except Exception as error:
            remedy = "Run the same command again when the store answers; nothing that was trained is lost."
            raise convert_store_error(error, "--tracking-uri", remedy) from error

    return call


def retry(
    action: Callable[[], Result], seconds: float, on_first_failure: Callable[[StoreUnavailable], None] = lambda _: None
) -> Result:
    """Call ``action`` once a second until the store answers; it has to be safe to call it twice.

    Args:
        seconds: When to give up.
        on_first_failure: Is called with the first error.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    deadline = time.monotonic() + seconds
    is_reported = False
    while True:
        try:
            return action()
        except StoreUnavailable as error:
            if time.monotonic() >= deadline:
                raise
            if not is_reported:
                on_first_failure(error)
                is_reported = True
            time.sleep(1)


def convert_store_error(error: Exception, where: str, remedy: str) -> HarnessError:
    """Return the HarnessError for an exception of the store's library.

    Returns:
        A StoreUnavailable where a later try may succeed; another HarnessError where the server refuses the user.
    """
    status = getattr(error, "get_http_status_code", lambda: 0)()
    if status == 401:
        return HarnessError(
            "the tracking server needs a user name and a password, or refuses those given",
            where=where,
            remedy=f"{CREDENTIALS_REMEDY} of every machine that trains. Nothing that was trained is lost.",
        )
    if status == 403:
        return HarnessError(
            f"the tracking server does not allow this: {redact_message(error)}",
            where=where,
            remedy="Ask the server's administrator for permission to edit this experiment, or give the experiment "
            "another name.",
        )
    kind = HarnessError if getattr(error, "error_code", "") in PERMANENT else StoreUnavailable
    return kind(f"the tracking store does not answer: {redact_message(error)}", where=where, remedy=remedy)


def redact_message(error: Exception) -> str:
    """Return the first line of an exception's message, without the passwords of addresses that it quotes."""
    return redact_passwords(str(error).strip().partition("\n")[0])[:300]
