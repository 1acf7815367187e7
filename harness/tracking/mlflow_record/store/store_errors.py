"""Errors of MLflow and of its databases as errors of this project."""

from __future__ import annotations

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
    "CUSTOMER_UNAUTHORIZED",
    "BAD_REQUEST",
    "ENDPOINT_NOT_FOUND",
    "NOT_FOUND",
    "NOT_IMPLEMENTED",
}
"""MLflow's error codes for which it is useless to try again."""
PERMANENT_STATUSES = (400, 404, 405, 410, 501)
"""The same as HTTP statuses, which requests for artifacts raise."""
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


def convert_store_error(error: Exception, where: str, remedy: str) -> HarnessError:
    """Return the HarnessError for an exception of the store's library.

    Returns:
        A StoreUnavailable where a later try may succeed; another HarnessError where the server refuses the user.
    """
    status = getattr(error, "get_http_status_code", lambda: 0)() or getattr(
        getattr(error, "response", None), "status_code", 0
    )
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
    is_permanent = (
        getattr(error, "error_code", "") in PERMANENT
        or status in PERMANENT_STATUSES
        or "CERTIFICATE_VERIFY_FAILED" in str(error)
    )
    kind = HarnessError if is_permanent else StoreUnavailable
    return kind(f"the tracking store does not answer: {redact_message(error)}", where=where, remedy=remedy)


def redact_message(error: Exception) -> str:
    """Return the first line of an exception's message, without the passwords of addresses that it quotes."""
    return redact_passwords(str(error).strip().partition("\n")[0])[:300]
