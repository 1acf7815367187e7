"""Opening an MLflow store: the address, a quick look whether it answers, and its errors as ours."""

from __future__ import annotations

import logging
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from harness.errors import HarnessError, StoreUnavailable
from harness.io.atomic_files import require_writable
from harness.tracking.mlflow_record.database_schema import LIBPQ, has_tables

if TYPE_CHECKING:
    from mlflow import MlflowClient

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
LASTING = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "PERMISSION_DENIED", "UNAUTHENTICATED", "BAD_REQUEST"}
"""MLflow's error codes that waiting does not mend."""
NO_STORE = "none"
"""As a tracking URI: no MLflow at all; the journals of the trials are the record."""
PROBE_SECONDS = 5
CREDENTIALS = re.compile(r"^([\w+.-]+://)[^:/?#@]*(?::[^@]*)?@|(?<=://)[^:/?#@\s]*(?::[^@\s]*)?@")
"""As SQLAlchemy finds them: a password may hold anything but @ (and blanks, where a message quotes an address)."""
FROM_ENVIRONMENT = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"


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


def without_password(text: str) -> str:
    """An address, or a message that may quote some, as it may be shown and recorded; options go with the password."""
    bare = CREDENTIALS.sub(r"\1***@", text)
    return re.sub(r"(://[^\s?]*)\?[^\s'\")]+", r"\1?***", bare)


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite URI; None for any other store."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def artifact_root(uri: str, home: Path) -> Path | None:
    """Where a store without a server keeps artifacts, whatever the working directory; a server places them itself."""
    if uri.startswith(("http", "databricks")):
        return None
    file = sqlite_file(uri)
    return (home if file is None else file.parent).absolute() / "artifacts"


def connect(uri: str) -> MlflowClient:
    """A client whose HTTP requests fail soon; whoever calls does the retrying."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Two lines at the end of every run, into the display of the trials.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for name, value in LIBPQ.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # It prints the traceback of what it raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
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
    if not probe(uri) and file is not None:
        _make_whole(file)
    try:
        client = connect(uri)
        client.search_experiments(max_results=1)
    except ImportError as error:
        raise HarnessError(
            "MLflow is not installed", where="--tracking-uri", remedy="Install it, or keep the record without: none."
        ) from error
    except Exception as error:
        remedy = "Check the address, or leave it out to use SQLite in --home."
        raise _unanswered(error, f"--tracking-uri {without_password(uri)}", remedy) from error
    return client


def _make_whole(file: Path) -> None:
    """Make a SQLite store beside ``file``, then put it there: MLflow cannot finish one whose making was killed."""
    with TemporaryDirectory(dir=file.parent, prefix=".making-") as folder:
        made, whole = Path(folder) / "made.db", Path(folder) / "whole.db"
        connect(f"sqlite:///{made}").search_experiments(max_results=1)
        # A copy: the connections of this process stay with the file that they opened.
        whole.write_bytes(made.read_bytes())
        if file.exists() and not probe(f"sqlite:///{file}"):
            # Tables without a single experiment, the default one included: what a killed process left.
            file.replace(file.with_name(f"{file.name}.unfinished"))
        with suppress(FileExistsError):
            os.link(whole, file)


def probe(uri: str) -> bool:
    """Ask a tracking server for its health, or look into a database, with a short time limit; writes nothing.

    Returns:
        False for a database, or a SQLite file, in which there is no store yet.

    Raises:
        HarnessError: Nothing answers there, its schema is another MLflow's, or the address is of no known kind.
    """
    scheme = uri.partition(":")[0].partition("+")[0]
    remedy = "Start it, check --tracking-uri and MLFLOW_TRACKING_URI, or leave both out to use SQLite in --home."
    where = f"--tracking-uri {without_password(uri)}"
    if scheme not in ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks"):
        # The rest is of no known form, so nobody knows where in it a password would be.
        raise HarnessError(f"'{scheme}' is not a kind of tracking store", where="--tracking-uri", remedy=remedy)
    if scheme == "databricks":
        return True
    if scheme not in ("http", "https"):
        file = sqlite_file(uri)
        return (file is None or file.exists()) and has_tables(uri, without_password(uri))
    if CREDENTIALS.search(uri):
        raise HarnessError(
            "a server's address holds no user or password", where=where, remedy=f"{FROM_ENVIRONMENT} instead."
        )
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=PROBE_SECONDS):  # noqa: S310 (http only)
            return True
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return True
        raise HarnessError(f"the server answers with status {error.code}", where=where, remedy=remedy) from error
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            # It answers. MLflow's client has settings of its own for certificates, and says what it thinks of this one.
            return True
        raise HarnessError(f"the tracking server cannot be reached: {reason}", where=where, remedy=remedy) from error


def wrap_store_errors(method: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Whatever a store's own library raises, as an error that says that the store did not answer."""

    @wraps(method)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        try:
            return method(*arguments, **named)
        except (HarnessError, TypeError, AttributeError, AssertionError):
            # The last three are mistakes of ours, which waiting does not mend.
            raise
        except Exception as error:
            remedy = "Run the same command again once it does; nothing that was trained is lost."
            raise _unanswered(error, "--tracking-uri", remedy) from error

    return call


def retry(
    action: Callable[[], Answer], seconds: float, waiting: Callable[[StoreUnavailable], None] = lambda error: None
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
        except StoreUnavailable as error:
            if time.monotonic() >= until:
                raise
            if not told:
                waiting(error)
                told = True
            time.sleep(1)


def _unanswered(error: Exception, where: str, remedy: str) -> HarnessError:
    """A server that knows who asks and says no is another matter than one that does not answer."""
    status = getattr(error, "get_http_status_code", lambda: 0)()
    if status == 401:
        return HarnessError(
            "the tracking server does not take these credentials, or needs some",
            where=where,
            remedy=f"{FROM_ENVIRONMENT} of every machine that trains; nothing that was trained is lost.",
        )
    if status == 403:
        return HarnessError(
            f"the tracking server does not allow this: {redacted_message(error)}",
            where=where,
            remedy="Ask who runs it for permission to edit this experiment, or give the experiment another name.",
        )
    kind = HarnessError if getattr(error, "error_code", "") in LASTING else StoreUnavailable
    return kind(f"the tracking store does not answer: {redacted_message(error)}", where=where, remedy=remedy)


def redacted_message(error: Exception) -> str:
    """The first line of a library's message, without the passwords of addresses that it may quote."""
    return without_password(str(error).strip().partition("\n")[0])[:300]
