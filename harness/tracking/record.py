"""The record of an experiment, wherever it is kept: opened by the settings that name its place."""

from __future__ import annotations

from harness.io.storage import Folder
from harness.settings import Settings
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.mlflow_record.client import NO_STORE, open_store, probe_store, choose_tracking_uri
from harness.tracking.mlflow_record.reader import list_experiment_names
from harness.tracking.mlflow_record.writer import MlflowRecord

Record = MlflowRecord | CheckpointRecord
"""An experiment in MLflow, or in the checkpoints of its trials alone. Both answer the same calls."""


def open_record(settings: Settings, experiment: str, create: bool = True) -> Record:
    """Open the record of an experiment.

    Args:
        create: Whether to create a store that does not exist yet.

    Raises:
        HarnessError: The store does not answer.
    """
    uri = choose_tracking_uri(settings.tracking_uri, settings.home)
    if uri == NO_STORE:
        return CheckpointRecord(settings.home, experiment, open_checkpoint_folder(settings))
    return MlflowRecord(uri, experiment, create, settings.home)


def open_checkpoint_folder(settings: Settings) -> Folder:
    """Return the folder that holds the checkpoints of all trials: ``--storage``, else ``trials`` in the home."""
    return Folder.from_location(settings.home / "trials" if settings.storage is None else settings.storage)


def has_mlflow(settings: Settings) -> bool:
    """Return whether the record is kept in MLflow."""
    return choose_tracking_uri(settings.tracking_uri, settings.home) != NO_STORE


def list_recorded_experiments(settings: Settings) -> list[str]:
    """Return the names of the recorded experiments, oldest first.

    Raises:
        HarnessError: The store does not answer.
    """
    uri = choose_tracking_uri(settings.tracking_uri, settings.home)
    if uri == NO_STORE:
        return sorted(path.stem for path in (settings.home / "studies").glob("*.json"))
    return list_experiment_names(open_store(uri)) if probe_store(uri) else []
