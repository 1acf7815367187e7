"""Open an MLflow store: create a client, check quickly that the store answers, and create a missing SQLite file."""

from __future__ import annotations

import logging
import os
import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harness.errors import HarnessError, StoreUnavailable
from harness.io.atomic_files import make_directory, require_writable
from harness.io.user_cache import provide_home
from harness.tracking.mlflow_record.store.addresses import CREDENTIALS, find_sqlite_file, redact_passwords
from harness.tracking.mlflow_record.store.database_schema import POSTGRESQL_DEFAULTS, has_tables
from harness.tracking.mlflow_record.store.patience import Patience, patient_client
from harness.tracking.mlflow_record.store.store_errors import CREDENTIALS_REMEDY, convert_store_error

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHECK_SECONDS = 5
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
KINDS = ("http", "https", "databricks", *DATABASES)


def create_client(uri: str) -> MlflowClient:
    """Return a client whose HTTP requests fail soon; the callers try again themselves."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    # MLflow would repeat any request, also one that creates a run: a lost answer would then leave two runs.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow would print two lines at the end of every run, into the display of the trials.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for name, value in POSTGRESQL_DEFAULTS.items():
        os.environ.setdefault(name, value)
    provide_home()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # This logger prints the traceback of every exception that MLflow raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def open_store(uri: str, patience: Patience | None = None) -> MlflowClient:
    """Return a client of a store that answers; create a SQLite file with its tables where it is missing.

    The driver calls this before any worker starts, because several processes that create one SQLite file at the
    same time damage it.

    Args:
        patience: How long to wait for a store that does not answer, now and in every call of the client; None: not
            at all.

    Raises:
        HarnessError: The store cannot be reached, created or read.
    """
    patience = patience or Patience()
    client = patience.retry(lambda: _open_store(uri), redact_passwords(uri))
    return patient_client(client, uri, patience)


def _open_store(uri: str) -> MlflowClient:
    file = find_sqlite_file(uri)
    # A store that exists is opened to read: its file and its directory need not be writable.
    if not has_store(uri) and file is not None:
        require_writable(file.parent)
        make_directory(file.parent)
        create_sqlite_store(file)
    try:
        client = create_client(uri)
        client.search_experiments(max_results=1)
    except ImportError as error:
        raise HarnessError(
            "MLflow is not installed",
            where="--tracking-uri",
            remedy="Install it, or give --tracking-uri none to keep the record in the checkpoints.",
        ) from error
    except Exception as error:
        remedy = "Check the address, or leave it out to use SQLite in --home."
        raise convert_store_error(error, f"--tracking-uri {redact_passwords(uri)}", remedy) from error
    return client


def create_sqlite_store(file: Path) -> None:
    """Create a SQLite store under another name and link it to ``file``, so that it appears there complete.

    MLflow cannot complete a file whose creation was killed. A store that another process created meanwhile stays.
    """
    with TemporaryDirectory(dir=file.parent, prefix=".making-") as folder:
        complete = Path(folder) / "whole.db"
        complete.write_bytes(_read_empty_store(Path(folder) / "made.db"))
        if file.exists() and not has_store(f"sqlite:///{file}"):
            # Tables without even the default experiment: a killed process left them.
            file.replace(file.with_name(f"{file.name}.unfinished"))
        with suppress(FileExistsError):
            os.link(complete, file)


def _read_empty_store(file: Path) -> bytes:
    """Return the content of a store without runs; MLflow creates it in ``file`` once in this process.

    A copy is taken, because the connections of this process keep the original open. Its tables take MLflow a second.
    """
    if not _empty_store:
        create_client(f"sqlite:///{file}").search_experiments(max_results=1)
        _empty_store.append(file.read_bytes())
    return _empty_store[0]


_empty_store: list[bytes] = []


def has_store(uri: str) -> bool:
    """Return whether there is a store at an address, within a short time limit; write nothing.

    A tracking server is asked for its health; a database is searched for MLflow's tables.

    Returns:
        False for a database, or a SQLite file, that holds no store yet.

    Raises:
        HarnessError: Nothing answers, the schema is that of another MLflow, or the address is of an unknown kind.
    """
    scheme = uri.partition(":")[0].partition("+")[0]
    remedy = "Start it, check --tracking-uri and MLFLOW_TRACKING_URI, or leave both out to use SQLite in --home."
    if scheme not in KINDS:
        # The form of the rest is unknown, so a password in it could not be removed: the address is not shown.
        raise HarnessError(f"'{scheme}' is not a kind of tracking store", where="--tracking-uri", remedy=remedy)
    if scheme == "databricks":
        return True
    if scheme in DATABASES:
        file = find_sqlite_file(uri)
        return (file is None or file.exists()) and has_tables(uri, redact_passwords(uri))
    _require_healthy_server(uri, remedy)
    return True


def _require_healthy_server(uri: str, remedy: str) -> None:
    """Raise a HarnessError unless a tracking server answers."""
    where = f"--tracking-uri {redact_passwords(uri)}"
    if CREDENTIALS.search(uri):
        raise HarnessError(
            "the address of a tracking server must not contain a user or a password",
            where=where,
            remedy=f"{CREDENTIALS_REMEDY} instead.",
        )
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=CHECK_SECONDS).close()  # noqa: S310 (http only)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            # The server answers; MLflow's client sends the credentials later.
            return
        kind = StoreUnavailable if error.code in (408, 429) or error.code >= 500 else HarnessError
        raise kind(f"the server answers with status {error.code}", where=where, remedy=remedy) from error
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            # The server answers. MLflow's client has settings of its own for certificates, and reports its own error.
            return
        # An address that is no URL stays wrong. A server that does not answer, or has no name yet, may come.
        kind = HarnessError if isinstance(error, ValueError) else StoreUnavailable
        raise kind(f"the tracking server cannot be reached: {reason}", where=where, remedy=remedy) from error
