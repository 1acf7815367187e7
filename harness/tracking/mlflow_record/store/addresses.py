"""Tracking URIs: which one is used, and where a local store keeps its files."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError
from harness.settings.urls import CREDENTIALS as CREDENTIALS
from harness.settings.urls import redact_passwords as redact_passwords
from harness.settings.user_paths import resolve_path, working_directory

NO_STORE = "none"
"""The tracking URI that stands for no MLflow at all: the checkpoints of the trials are the record."""
URI_VARIABLE = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
ARTIFACTS = "artifacts"
"""Name of the directory of artifacts beside a store, and of that of each run."""


def choose_tracking_uri(option: str | None, home: Path) -> str:
    """Return the option, else MLFLOW_TRACKING_URI, else the home's SQLite file; SQLite with its absolute path.

    Raises:
        HarnessError: The path of the SQLite file cannot be used.
    """
    given = option or os.environ.get(URI_VARIABLE)
    where = "--home" if not given else "--tracking-uri" if option else URI_VARIABLE
    file = find_sqlite_file(given) if given else home / "mlflow.db"
    if file is None:
        _require_no_other_sqlite(str(given), where)
        return str(given)
    # Workers run in directories of their own.
    path = working_directory(where) / resolve_path(file, where)
    if set("?%") & set(str(path)):
        raise HarnessError(
            f"the path of a SQLite store cannot contain ? or %: {path}",
            where=where,
            remedy="Choose another --home, whose whole path has neither.",
        )
    if path.is_dir():
        raise HarnessError(
            f"{path} is a directory, and a SQLite store is a file", where=where, remedy=f"Use {path / 'mlflow.db'}."
        )
    return f"{SQLITE}{path}"


def _require_no_other_sqlite(uri: str, where: str) -> None:
    """Raise a HarnessError for a SQLite store in memory, or with a driver: workers could not open the same store."""
    if uri.partition(":")[0].partition("+")[0] == "sqlite":
        raise HarnessError("this address names no SQLite file", where=where, remedy=f"Write {SQLITE}PATH.")


def format_for_shell(address: str) -> str:
    """Return an address without its password as one word of a command line, for a command that the user pastes.

    The word ``USER:PASSWORD`` takes the place of what was left out.
    """
    return shlex.quote(address.replace("***@", "USER:PASSWORD@").removesuffix("?***"))


def find_sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite URI; None for any other store."""
    path = uri.removeprefix(SQLITE) if uri.startswith(SQLITE) else ""
    return Path(path) if path not in ("", ":memory:") else None


def choose_artifact_root(uri: str, home: Path) -> Path | None:
    """Return the absolute directory in which a store without a server keeps artifacts.

    Returns:
        None for a tracking server, which chooses the place itself.
    """
    if uri.startswith(("http", "databricks")):
        return None
    file = find_sqlite_file(uri)
    return (home if file is None else file.parent).absolute() / ARTIFACTS


def parse_file_url(url: str) -> Path | None:
    """Return the path of an address such as ``file:///home/x``; None for an address of another kind."""
    location = urlsplit(url)
    return Path(unquote(location.path)) if location.scheme == "file" else None


def rebase_artifacts(path: Path, root: Path) -> Path | None:
    """Return where artifacts are that an earlier place of the store, or of the home, had at ``path``.

    Args:
        path: A directory of an experiment, of a run or of a model below a directory ``artifacts``, as this project
            lays them out: ``artifacts/EXPERIMENT``, ``.../RUN/artifacts`` or ``.../models/MODEL/artifacts``.
        root: The directory ``artifacts`` of the store now.

    Returns:
        None where ``path`` has another layout: another program has chosen it.
    """
    parts = path.parts
    for length in (4, 3, 1):
        if len(parts) <= length or parts[-length - 1] != ARTIFACTS:
            continue
        if length == 1 or (parts[-1] == ARTIFACTS and (length == 3 or parts[-3] == "models")):
            return root.joinpath(*parts[-length:])
    return None
