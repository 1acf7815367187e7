"""A SQLite store that was moved or copied: its absolute addresses are replaced by those of its present place.

MLflow records the absolute address of the artifacts of each experiment, run and model. This project's own code takes
only the end of these addresses (:mod:`harness.tracking.mlflow_record.artifacts`). MLflow's UI and other programs take
them as they are, so a copy would show, and write, the files of the original.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from harness.errors import HarnessError, StoreUnavailable
from harness.tracking.mlflow_record.store.addresses import (
    choose_artifact_root,
    find_sqlite_file,
    parse_file_url,
    rebase_artifacts,
)
from harness.tracking.mlflow_record.tags import KIND_TAG, STORAGE_TAG

LOCK_SECONDS = 30
"""How long to wait for another process that writes to the file."""
TABLES = (
    ("experiments", "experiment_id", "artifact_location"),
    ("runs", "run_uuid", "artifact_uri"),
    ("logged_models", "model_id", "artifact_location"),
)
"""Tables of MLflow with an address of artifacts: the table, its key and the column of the address."""


def is_read_only(uri: str) -> bool:
    """Return whether a store is a SQLite file that this user, or this disk, does not allow to change."""
    file = find_sqlite_file(uri)
    return file is not None and file.exists() and not all(os.access(path, os.W_OK) for path in (file, file.parent))


def require_writable_store(uri: str) -> None:
    """Refuse a store that can only be read.

    Raises:
        HarnessError: It is a SQLite file that cannot be changed.
    """
    if is_read_only(uri):
        raise HarnessError(
            "this store may only be read",
            where=f"--tracking-uri {uri}",
            remedy="Change the permissions of the file and of its directory, or work in a copy of the directory.",
        )


def adopt_store(uri: str) -> None:
    """Replace addresses of this project's artifacts that lead out of a SQLite store's present place.

    Addresses that lead to the same directory in another way, such as through a link, stay. Experiments of other
    programs stay as they are. A call for another kind of store does nothing.

    Raises:
        StoreUnavailable: Another process writes to the file for too long.
        HarnessError: The file cannot be changed.
    """
    file = find_sqlite_file(uri)
    root = choose_artifact_root(uri, Path())
    if file is None or root is None or not file.exists():
        return
    try:
        with closing(sqlite3.connect(file, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
            if not any(True for _ in _find_moved(connection, root)):
                return
            connection.execute("BEGIN IMMEDIATE")
            _move_storage_tags(connection, root)
            for table, key, column, identity, address in list(_find_moved(connection, root)):
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (address, identity))  # noqa: S608
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        kind = StoreUnavailable if "locked" in str(error) else HarnessError
        raise kind(
            f"the store was moved, and its addresses cannot be changed: {error}",
            where=f"--tracking-uri {uri}",
            remedy="Wait for the process that writes to it, or check the permissions of the file.",
        ) from error


def _find_moved(connection: sqlite3.Connection, root: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (table, key's name, column, key, new address) of each address that leads to another place than ``root``."""
    ours = "SELECT experiment_id FROM experiment_tags WHERE key = ?"
    for table, key, column in TABLES:
        rows = connection.execute(
            f"SELECT {key}, {column} FROM {table} WHERE experiment_id IN ({ours})",  # noqa: S608 (our own words)
            (KIND_TAG,),
        )
        for identity, recorded in rows:
            address = _present_address(recorded, root)
            if address != recorded:
                yield table, key, column, identity, address


def _present_address(recorded: str, root: Path) -> str:
    """Return the address of artifacts at the store's present place."""
    path = parse_file_url(recorded or "")
    current = None if path is None else rebase_artifacts(path, root)
    if path is None or current is None or current == path:
        return recorded
    earlier_root = path.parents[len(current.relative_to(root).parts) - 1]
    return recorded if _is_same(earlier_root, root) else current.as_uri()


def _move_storage_tags(connection: sqlite3.Connection, root: Path) -> None:
    """Replace the recorded place of checkpoints where it is in the home from which an experiment was moved."""
    rows = connection.execute(
        "SELECT experiments.experiment_id, artifact_location, value FROM experiments JOIN experiment_tags "
        "ON experiment_tags.experiment_id = experiments.experiment_id WHERE key = ?",
        (STORAGE_TAG,),
    ).fetchall()
    for identity, recorded, storage in rows:
        moved = rebase_storage(storage, recorded, root)
        if moved != storage:
            connection.execute(
                "UPDATE experiment_tags SET value = ? WHERE experiment_id = ? AND key = ?",
                (moved, identity, STORAGE_TAG),
            )


def rebase_storage(storage: str, recorded: str, root: Path) -> str:
    """Return where checkpoints are now that were in a home beside the artifacts of an experiment.

    Args:
        storage: The recorded place of the checkpoints.
        recorded: The recorded address of the experiment's artifacts.
        root: The directory of the store's artifacts now.
    """
    artifacts = parse_file_url(recorded or "")
    if artifacts is None or rebase_artifacts(artifacts, root) is None or _is_same(artifacts.parent, root):
        return storage
    earlier_home, path = artifacts.parent.parent, Path(storage)
    return str(root.parent / path.relative_to(earlier_home)) if path.is_relative_to(earlier_home) else storage


def _is_same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to the same directory, which exists."""
    try:
        return one.samefile(other)
    except OSError:
        return False
