"""Bring the record up to date with the checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError, StoreUnavailable
from harness.settings import Settings
from harness.tracking.mlflow_record.store.patience import patience_with_warnings
from harness.tracking.record import list_recorded_experiments, open_checkpoint_folder, open_record


def sync(names: Sequence[str], settings: Settings) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Publish histories that the record lacks, and close the runs that dead processes left open. Trains nothing.

    Args:
        names: Names of experiments; empty for all recorded ones.

    Returns:
        What was done with each trial, by experiment and label; and by experiment why it could not be updated.

    Raises:
        HarnessError: The store does not answer.
    """
    from harness.experiments.record_sync import sync_record
    from harness.tracking.lock import ExperimentLock

    actions, refused, patience = {}, {}, patience_with_warnings()
    for name in names or list_recorded_experiments(settings, patience):
        try:
            record = open_record(settings, name, create=False, patience=patience)
            study = record.read_experiment()
            with ExperimentLock(record, f"harness sync {name}").hold():
                actions[name] = sync_record(study, record, open_checkpoint_folder(settings))
        except StoreUnavailable:
            raise
        except HarnessError as error:
            refused[name] = str(error)
    return actions, refused
