"""Tracking URIs: which one is used, where a local store keeps its files, and how an address is shown."""

from __future__ import annotations

import os
import re
from pathlib import Path

from harness.errors import HarnessError

NO_STORE = "none"
"""The tracking URI that stands for no MLflow at all: the checkpoints of the trials are the record."""
CREDENTIALS = re.compile(r"^([\w+.-]+://)[^:/?#@]*(?::[^@]*)?@|(?<=://)[^:/?#@\s]*(?::[^@\s]*)?@")
"""User and password of an address, as SQLAlchemy finds them: a password may hold any character but @.

The second form finds addresses inside a message, where a blank ends them.
"""


def choose_tracking_uri(option: str | None, home: Path) -> str:
    """Return the option, else MLFLOW_TRACKING_URI, else the home's SQLite file; SQLite with its absolute path.

    Raises:
        HarnessError: SQLite cannot take the path.
    """
    uri = option or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"
    file = find_sqlite_file(uri)
    if file is None:
        return uri
    if set("?%") & set(str(file)):
        raise HarnessError(
            "the path of a SQLite store cannot contain ? or %", where=str(file), remedy="Choose another --home."
        )
    # Workers run in directories of their own.
    return f"sqlite:///{file.absolute()}"


def redact_passwords(text: str) -> str:
    """Return an address, or a message that may quote addresses, without users, passwords and options."""
    bare = CREDENTIALS.sub(r"\1***@", text)
    return re.sub(r"(://[^\s?]*)\?[^\s'\")]+", r"\1?***", bare)


def find_sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite URI; None for any other store."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def choose_artifact_root(uri: str, home: Path) -> Path | None:
    """Return the absolute directory in which a store without a server keeps artifacts.

    Returns:
        None for a tracking server, which chooses the place itself.
    """
    if uri.startswith(("http", "databricks")):
        return None
    file = find_sqlite_file(uri)
    return (home if file is None else file.parent).absolute() / "artifacts"
