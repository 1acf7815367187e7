"""Opening an MLflow store: the address, a quick look whether it answers, and its errors as ours."""

from __future__ import annotations

import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import wraps
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import urlsplit

from harness.errors import HarnessError
from harness.files import require_writable

if TYPE_CHECKING:
    from mlflow import MlflowClient

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
LASTING = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "PERMISSION_DENIED", "UNAUTHENTICATED", "BAD_REQUEST"}
"""MLflow's error codes that waiting does not mend."""
NO_STORE = "none"
"""As a tracking URI: no MLflow at all; the journals of the trials are the record."""
PROBE_SECONDS = 5


class StoreAway(HarnessError):
    """The store did not answer a call that it may answer later."""


def tracking_uri(option: str | None, home: Path) -> str:
    """The option, else MLFLOW_TRACKING_URI, else the home's SQLite file; SQLite with its absolute path.

    Raises:
        HarnessError: SQLite can not take the path.
    """
    uri = option or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"
    file = sqlite_file(uri)
    if file is None:
        return uri
    if set("?%") & set(str(file)):
        raise HarnessError(
            "a SQLite store can not lie at a path with ? or % in it", where=str(file), remedy="Choose another --home."
        )
    # Workers run in directories of their own.
    return f"sqlite:///{file.absolute()}"


def without_password(uri: str) -> str:
    """``uri`` as it may be shown and recorded."""
    parts = urlsplit(uri)
    if parts.password is None and parts.username is None:
        return uri
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"***@{parts.hostname or ''}{port}").geturl()


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite URI; None for any other store."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def connect(uri: str) -> MlflowClient:
    """A client whose HTTP requests fail soon; whoever calls does the retrying."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for noisy in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def open_store(uri: str) -> MlflowClient:
    """Connect, and make sure that the store answers; a SQLite file is created with its tables.

    The driver does this before any worker: several processes that create one SQLite store at once ruin it.

    Raises:
        HarnessError: The store cannot be reached, created or read.
    """
    file = sqlite_file(uri)
    if file is not None:
        require_writable(file.parent)
        file.parent.mkdir(parents=True, exist_ok=True)
    probe(uri)
    try:
        client = connect(uri)
        client.search_experiments(max_results=1)
    except ImportError as error:
        raise HarnessError(
            "MLflow is not installed", where="--tracking-uri", remedy="Install it, or keep the record without: none."
        ) from error
    except Exception as error:
        raise HarnessError(
            f"the tracking store does not answer: {_first_line(error)}",
            where=f"--tracking-uri {without_password(uri)}",
            remedy="Check the address and its credentials, or leave it out to use SQLite in --home.",
        ) from error
    return client


def probe(uri: str) -> None:
    """Ask a tracking server for its health, with a short time limit; writes nothing.

    Raises:
        HarnessError: Nothing answers there, or the address is of no known kind.
    """
    scheme = uri.partition(":")[0].partition("+")[0]
    remedy = "Start it, check --tracking-uri and MLFLOW_TRACKING_URI, or leave both out to use SQLite in --home."
    where = f"--tracking-uri {without_password(uri)}"
    if scheme not in ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks"):
        raise HarnessError(f"'{scheme}' is not a kind of tracking store", where=where, remedy=remedy)
    if scheme not in ("http", "https"):
        return
    parts = urlsplit(uri)
    # urllib would take user:password@host for the name of a host; a server's health needs neither.
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        with urllib.request.urlopen(f"{bare.rstrip('/')}/health", timeout=PROBE_SECONDS):  # noqa: S310 (http only)
            pass
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return
        raise HarnessError(f"the server answers with status {error.code}", where=where, remedy=remedy) from error
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise HarnessError(f"the tracking server cannot be reached: {reason}", where=where, remedy=remedy) from error


def answering(method: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Whatever a store's own library raises, as an error that says that the store did not answer."""

    @wraps(method)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        try:
            return method(*arguments, **named)
        except HarnessError:
            raise
        except Exception as error:
            kind = HarnessError if getattr(error, "error_code", "") in LASTING else StoreAway
            raise kind(
                f"the tracking store does not answer: {_first_line(error)}",
                where="--tracking-uri",
                remedy="Run the same command again once it does; nothing that was trained is lost.",
            ) from error

    return call


def patiently(
    action: Callable[[], Answer], seconds: float, waiting: Callable[[StoreAway], None] = lambda error: None
) -> Answer:
    """Repeat ``action``, which may be done twice without harm, until the store answers.

    Args:
        seconds: For how long.
        waiting: Told of the first failure.

    Raises:
        StoreAway: It did not answer in time.
    """
    until = time.monotonic() + seconds
    told = False
    while True:
        try:
            return action()
        except StoreAway as error:
            if time.monotonic() >= until:
                raise
            if not told:
                waiting(error)
                told = True
            time.sleep(1)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
