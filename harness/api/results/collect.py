"""Collect the results of an experiment into one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.settings import Settings
from harness.settings.user_paths import resolve_path
from harness.tracking.mlflow_record.store.patience import patience_with_warnings
from harness.tracking.record import open_record

if TYPE_CHECKING:
    from harness.tracking.record import Record
    from harness.tracking.results_table import Results


def collect(name: str, settings: Settings) -> tuple[Results, Record]:
    """Return the results table of an experiment as it was last run, and its record.

    Raises:
        HarnessError: No experiment of this name was run in this store.
    """
    from harness.tracking.results_table import build_results_table

    if Path(name).name != name or "\0" in name:
        raise HarnessError(
            f"'{name}' is not the name of an experiment", remedy="Give its name, or the path of a results.csv."
        )
    record = open_record(settings, name, create=False, patience=patience_with_warnings())
    study = record.read_experiment()
    histories = record.read_histories([trial.id for trial in study.all_trials])
    return build_results_table(study, histories, record.read_costs()), record


def read_results(name: str, settings: Settings) -> tuple[Results, Record | None]:
    """Return the results of an experiment, from a results.csv or from the record.

    Args:
        name: The path of a results.csv, which needs no record, or an experiment's name or YAML file.

    Returns:
        The results, and the record; None for a results.csv.

    Raises:
        HarnessError: There is no such file or record, or the file is damaged.
    """
    from harness.tracking.results_csv import read_csv

    if name.endswith(".csv"):
        return read_csv(resolve_path(name, "results.csv")), None
    return collect(Path(name).stem if name.endswith((".yaml", ".yml")) else name, settings)
