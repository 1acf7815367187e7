"""The file results.csv: the results table with its experiment in one file, written and read."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.specs import ResolvedExperiment
from harness.specs.network.layer_profile import LayerProfile
from harness.specs.replication.sources import SOURCES
from harness.tracking.metrics import COST_METRICS, TEST_ERROR, TRAINING_ERRORS, WAITING_SHARE
from harness.tracking.outcome_names import NAMES, STATUSES
from harness.tracking.results_table import (
    DATA_COLUMN,
    IDENTITY_COLUMNS,
    LAYERS_COLUMN,
    PROVENANCE_COLUMNS,
    TABLE_COLUMNS,
    TEXT_COLUMNS,
    Results,
    join_data_sets,
    set_column_types,
    split_by_purpose,
)
from harness.tracking.table_validation import REMEDY, validate_table

STUDY_COLUMN = "study"
"""The column that holds the resolved experiment as JSON in its first row, so that the file can be read alone."""
PURPOSE_COLUMN = "part"
"""The column that tells readers of the file, where variants are tuned, a trial's purpose: common, search or tuned."""
COLUMNS = [*TABLE_COLUMNS, STUDY_COLUMN]
REQUIRED_COLUMNS = [
    *IDENTITY_COLUMNS,
    *TRAINING_ERRORS,
    TEST_ERROR,
    *COST_METRICS,
    *PROVENANCE_COLUMNS,
    STUDY_COLUMN,
]
"""The columns without which a file is not a results table; an older file may lack other metrics."""
STRING_COLUMNS = (*TEXT_COLUMNS, DATA_COLUMN, "counter", "precision", "memory_format", PURPOSE_COLUMN, STUDY_COLUMN)
"""Columns that never hold a number: 127032774e15 is a revision, and None may be the name of a variant."""


def format_csv(results: Results) -> bytes:
    """Return ``results.csv``: numbers in their shortest exact form, the experiment in the first row's last field."""
    table = (
        pd.concat([results.epochs, results.tuning], ignore_index=True) if len(results.tuning) else results.epochs.copy()
    )
    if results.study.experiment.tune is not None:
        purposes = {trial.id: results.study.purpose_of(trial) for trial in results.study.all_trials}
        table.insert(list(table.columns).index("outcome"), PURPOSE_COLUMN, table["trial"].map(purposes))
    _insert_stream_seeds(table, results.study)
    # Trials of earlier versions, and of other systems than Linux, have no such share: their file stays as it was.
    if table[WAITING_SHARE].isna().all():
        table = table.drop(columns=WAITING_SHARE)
    table["outcome"] = table["outcome"].replace(NAMES)
    table[STUDY_COLUMN] = ""
    if len(table):
        table.loc[table.index[0], STUDY_COLUMN] = results.study.to_record_json()
    return table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).encode()


def _insert_stream_seeds(table: pd.DataFrame, study: ResolvedExperiment) -> None:
    """Add, where sources of randomness have seeds of their own, a column with the seed of each source.

    They are for readers of the file: the experiment in the first row gives the same seeds.
    """
    trials = {trial.id: trial for trial in study.all_trials}
    if any(trial.streams for trial in trials.values()):
        for source in SOURCES:
            seeds = [trials[i].seed_of(source) if i in trials else "" for i in table["trial"]]
            table.insert(list(table.columns).index("outcome"), f"{source}_seed", seeds)


def write_csv(results: Results, path: Path) -> None:
    """Write ``results.csv``, whole or not at all."""
    write_atomic(path, format_csv(results))


def read_csv(path: Path) -> Results:
    """Return the results in a file that :func:`write_csv` wrote.

    Raises:
        HarnessError: The file is missing, has other columns, lacks its experiment, or fails a check of
            :mod:`harness.tracking.table_validation`.
    """
    try:
        table = pd.read_csv(
            path,
            float_precision="round_trip",
            dtype=dict.fromkeys(STRING_COLUMNS, "str"),
            keep_default_na=False,
            na_values={column: ["", "nan", "NaN"] for column in COLUMNS if column not in STRING_COLUMNS},
        )
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"this file cannot be read as a results table: {error}", where=str(path), remedy=REMEDY
        ) from error
    missing = [column for column in REQUIRED_COLUMNS if column not in table.columns]
    if missing:
        raise HarnessError(f"the column {missing[0]} is missing", where=str(path), remedy=REMEDY)
    study = _read_experiment(table, path)
    _require_layer_profiles(table, path)
    try:
        if not table["trial"].str.fullmatch("[0-9a-f]{12}").all():
            raise ValueError("not the id of a trial")
        table["outcome"] = table["outcome"].replace(STATUSES)
        results = _split_table(study, table, path)
    except (ValueError, TypeError) as error:
        raise HarnessError(
            "a column holds values of another kind than it should", where=str(path), remedy=REMEDY
        ) from error
    for view in results.views:
        validate_table(view.study, view.epochs, str(path))
    return results


def _split_table(study: ResolvedExperiment, table: pd.DataFrame, path: Path) -> Results:
    """Return the rows of a file as results: first by data set, where there are several, then by purpose."""
    if len(study.data_sets) == 1:
        return split_by_purpose(study, set_column_types(table.reindex(columns=TABLE_COLUMNS)))
    titles = [info.title for info in study.data_sets]
    names = table[DATA_COLUMN] if DATA_COLUMN in table.columns else pd.Series("", index=table.index)
    unknown = table[~names.isin(titles)]
    if len(unknown):
        raise HarnessError(
            f"trial {unknown['trial'].iloc[0]} names none of the data sets {', '.join(titles)}",
            where=f"{path}, row {int(str(unknown.index[0])) + 2}, {DATA_COLUMN}",
            remedy=REMEDY,
        )
    return join_data_sets(study, [_split_table(view, table[names == view.data.title], path) for view in study.views])


def _read_experiment(table: pd.DataFrame, path: Path) -> ResolvedExperiment:
    try:
        return ResolvedExperiment.model_validate_json(table[STUDY_COLUMN].iloc[0])
    except (ValueError, TypeError, IndexError, HarnessError) as error:
        raise HarnessError(
            f"the first row does not hold the experiment in the column {STUDY_COLUMN}", where=str(path), remedy=REMEDY
        ) from error


def _require_layer_profiles(table: pd.DataFrame, path: Path) -> None:
    """Raise a HarnessError for values by layer from which no figure could be drawn."""
    for row, text in table.get(LAYERS_COLUMN, pd.Series(dtype="str")).dropna().items():
        if not text:
            continue
        try:
            LayerProfile.model_validate_json(text)
        except (ValueError, TypeError) as error:
            raise HarnessError(
                f"the column {LAYERS_COLUMN} does not hold values by layer",
                where=f"{path}, row {int(str(row)) + 2}",
                remedy="Give a results.csv as `harness report` wrote it, unchanged, or delete this column.",
            ) from error
