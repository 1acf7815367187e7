"""The record: histories, the outbox to MLflow, and back into tables. No ray, no torch."""

from __future__ import annotations

from pathlib import Path

from harness.io.storage import Folder
from harness.tracking.journal_record import JournalRecord
from harness.tracking.mlflow_record.client import NO_STORE, open_store, probe, tracking_uri
from harness.tracking.mlflow_record.reader import experiment_names
from harness.tracking.mlflow_record.writer import MlflowRecord

Record = MlflowRecord | JournalRecord


def open_record(
    option: str | None, home: Path, name: str, create: bool = True, storage: Folder | None = None
) -> Record:
    """The record of an experiment: in the MLflow store that ``option`` or the environment names, else in the home's.

    Args:
        storage: Where checkpoints are (default: in the home); without MLflow they are the record.

    Raises:
        HarnessError: The store does not answer.
    """
    uri = tracking_uri(option, home)
    if uri == NO_STORE:
        return JournalRecord(home, name, storage or default_storage(home))
    return MlflowRecord(uri, name, create, home)


def default_storage(home: Path) -> Folder:
    """Where checkpoints are unless ``--storage`` says otherwise."""
    return Folder.at(home / "trials")


def recorded_experiments(option: str | None, home: Path) -> list[str]:
    """Names of the experiments that are recorded, oldest first.

    Raises:
        HarnessError: The store does not answer.
    """
    uri = tracking_uri(option, home)
    if uri == NO_STORE:
        return sorted(path.stem for path in (home / "studies").glob("*.json"))
    return experiment_names(open_store(uri)) if probe(uri) else []


__all__ = ["Record", "default_storage", "open_record", "recorded_experiments"]
