"""Histories into one tidy table, and the table to ``results.csv`` and back."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.layer_profile import LayerProfile
from harness.specs.measured_cost import MeasuredCost
from harness.tracking.cost_metrics import select_trial_costs
from harness.tracking.history import History
from harness.tracking.metrics import COST_METRICS, EPOCH_METRICS, EVALUATED_ERRORS, MEASURED_COSTS, TRAINING_ERRORS
from harness.tracking.outcome_names import NAMES, STATUSES
from harness.tracking.table_validation import REMEDY, validate_table

IDENTITY_COLUMNS = ["trial", "variant", "family", "depth", "shortcut", "plain", "seed", "outcome", "epoch"]
PROVENANCE_COLUMNS = [
    "counter",
    "device",
    "precision",
    "memory_format",
    "kernels",
    "threads",
    "shared",
    "software",
    "revision",
    "at",
]
LAYERS_COLUMN = "layers"
"""Column that holds a trial's values by layer as JSON, a :class:`LayerProfile`, in its first and its last row."""
STUDY_COLUMN = "study"
"""Column that holds the resolved experiment as JSON in its first row, so that the file stands alone."""
PURPOSE_COLUMN = "part"
"""Column for readers of the file, where variants are tuned: common, search or tuned."""
REQUIRED_COLUMNS = [*IDENTITY_COLUMNS, *TRAINING_ERRORS, "test/error", *COST_METRICS, *PROVENANCE_COLUMNS, STUDY_COLUMN]
"""Without these a table is not a results table; other metrics may be missing from an older one."""
COLUMNS = [*IDENTITY_COLUMNS, *EPOCH_METRICS, *COST_METRICS, *MEASURED_COSTS, *PROVENANCE_COLUMNS, LAYERS_COLUMN, STUDY_COLUMN]


TEXT_COLUMNS = ("trial", "variant", "family", "shortcut", "outcome", "device", "kernels", "software", "revision", "at", LAYERS_COLUMN)
STRING_COLUMNS = (*TEXT_COLUMNS, "counter", "precision", "memory_format", PURPOSE_COLUMN, STUDY_COLUMN)
"""Columns that hold no number, whatever they look like: 127032774e15 is a revision, and None may be a variant."""


def _no_rows() -> pd.DataFrame:
    return _typed(pd.DataFrame([], columns=COLUMNS[:-1]))


@dataclass(frozen=True)
class Results:
    """What an experiment has recorded.

    Attributes:
        study: The resolved experiment, with its declared contrasts.
        epochs: One row per (trial, epoch), columns :data:`COLUMNS` without ``study``, ordered by variant as
            declared, seed, epoch. Metrics that were not measured are NaN.
        aside: The same of trials that are not compared at the common recipe: those of a search, and those with the
            choices. Nothing of :attr:`final` and of the statistics looks at them.
    """

    study: ResolvedExperiment
    epochs: pd.DataFrame
    aside: pd.DataFrame = field(default_factory=_no_rows)

    @property
    def final(self) -> pd.DataFrame:
        """One row per trial, its last epoch; a diverged trial scores chance in every error.

        The budget is fixed beforehand, so the last epoch is the result, never the best one.
        """
        last = self.epochs.drop_duplicates("trial", keep="last").reset_index(drop=True)
        diverged = last["outcome"] == TrialStatus.DIVERGED
        errors = [key for key in EVALUATED_ERRORS if last[key].notna().any() or key != "val/error"]
        last.loc[diverged, errors] = self.study.data.chance_error
        last.loc[diverged, "test/accuracy"] = 100 - self.study.data.chance_error
        return last

    @property
    def tuned(self) -> Results | None:
        """The same variants with the recipes that were chosen for them; None before all have one."""
        if self.study.tuned is None:
            return None
        trials = {trial.id: (place, trial.variant.name) for place, trial in enumerate(self.study.tuned.trials)}
        # A choice that is the common recipe has its trials there.
        rows = pd.concat([self.epochs, self.aside])
        rows = rows[rows["trial"].isin(list(trials))]
        rows = rows.assign(
            variant=[trials[trial][1] for trial in rows["trial"]], place=[trials[trial][0] for trial in rows["trial"]]
        )
        ordered = rows.sort_values(["place", "epoch"], kind="stable").drop(columns="place")
        return Results(self.study.tuned, ordered.reset_index(drop=True))

    @property
    def missing(self) -> list[tuple[str, int]]:
        """(variant, seed) of the trials that the experiment declares and the record does not hold."""
        recorded = set(self.epochs["trial"])
        return [(t.variant.name, t.seed) for t in self.study.trials if t.id not in recorded]


def build_results_table(
    study: ResolvedExperiment, histories: Iterable[History], costs: Sequence[MeasuredCost] = ()
) -> Results:
    """The table of those histories that belong to ``study`` and have come to their end.

    Args:
        costs: Measured ones, oldest first; they stand beside the trials whose conditions they share.
    """
    names = {trial.id: trial for trial in study.all_trials}
    order = {trial.id: index for index, trial in enumerate(study.all_trials)}
    rows: list[dict[str, Any]] = []
    done = {history.id: history for history in histories if history.done and history.id in names}
    for identity in sorted(done, key=order.__getitem__):
        history, variant = done[identity], names[identity].variant
        constant = {
            "trial": identity,
            "variant": variant.name,
            "family": variant.family,
            "depth": variant.depth,
            "shortcut": variant.shortcut,
            "plain": variant.is_plain,
            "seed": history.trial.seed,
            "outcome": history.outcome.value,
            **history.costs,
            **select_trial_costs(variant, history.trial.recipe, history.provenance, study, costs),
            **{key: history.provenance.get(key) for key in PROVENANCE_COLUMNS if key not in ("counter", "at")},
        }
        for epoch in history.epochs:
            at = datetime.fromtimestamp(epoch.at / 1000, UTC).isoformat(timespec="seconds")
            layers = history.layers.get(epoch.epoch)
            told = "" if layers is None else layers.model_dump_json()
            rows.append(constant | {"epoch": epoch.epoch, "at": at, LAYERS_COLUMN: told} | epoch.metrics)
    return _parted(study, _typed(pd.DataFrame(rows, columns=COLUMNS[:-1])))


def _parted(study: ResolvedExperiment, frame: pd.DataFrame) -> Results:
    """Search trials and those with the choices go aside; whatever else is there is of the comparison."""
    compared = {trial.id for trial in study.trials}
    away = frame["trial"].isin([trial.id for trial in study.all_trials if trial.id not in compared])
    return Results(study, frame[~away].reset_index(drop=True), frame[away].reset_index(drop=True))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Column types that do not depend on whether the table came from histories or from a file."""
    for key in (*EPOCH_METRICS, *MEASURED_COSTS):
        frame[key] = frame[key].astype("float64")
    for key in ("depth", "seed", "epoch", "threads", *COST_METRICS):
        frame[key] = frame[key].astype("int64")
    for key in ("plain", "shared"):
        frame[key] = frame[key].astype("bool")
    for key in TEXT_COLUMNS:
        frame[key] = frame[key].fillna("").astype("str")
    # Column by column it has come to lie in pieces, and every selection of rows would visit each.
    return frame.copy()


def format_csv(results: Results) -> bytes:
    """``results.csv``: numbers in their shortest exact spelling, the study in the first row's last field."""
    frame = (
        pd.concat([results.epochs, results.aside], ignore_index=True) if len(results.aside) else results.epochs.copy()
    )
    if results.study.experiment.tune is not None:
        part_of = {trial.id: results.study.purpose_of(trial) for trial in results.study.all_trials}
        frame.insert(list(frame.columns).index("outcome"), PURPOSE_COLUMN, frame["trial"].map(part_of))
    frame["outcome"] = frame["outcome"].replace(NAMES)
    frame[STUDY_COLUMN] = ""
    if len(frame):
        frame.loc[frame.index[0], STUDY_COLUMN] = results.study.to_record_json()
    return frame.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).encode()


def write_csv(results: Results, path: Path) -> None:
    """Write what :func:`csv_bytes` makes; whole or not at all."""
    write_atomic(path, format_csv(results))


def read_csv(path: Path) -> Results:
    """Read what :func:`write_csv` wrote.

    Raises:
        HarnessError: The file is missing, has other columns, lacks its study, or is not sound (:mod:`.checks`).
    """
    try:
        frame = pd.read_csv(
            path,
            float_precision="round_trip",
            dtype=dict.fromkeys(STRING_COLUMNS, "str"),
            keep_default_na=False,
            na_values={column: ["", "nan", "NaN"] for column in COLUMNS if column not in STRING_COLUMNS},
        )
    except (OSError, ValueError) as error:
        raise HarnessError(f"cannot be read as a results table: {error}", where=str(path)) from error
    missing = [column for column in REQUIRED_COLUMNS if column not in frame.columns]
    if missing:
        raise HarnessError(f"the column {missing[0]} is missing", where=str(path), remedy=REMEDY)
    study = _study(frame, path)
    _require_layers(frame, path)
    try:
        if not frame["trial"].str.fullmatch("[0-9a-f]{12}").all():
            raise ValueError("not the id of a trial")
        frame["outcome"] = frame["outcome"].replace(STATUSES)
        found = _parted(study, _typed(frame.reindex(columns=COLUMNS[:-1])))
    except (ValueError, TypeError) as error:
        raise HarnessError("a column has values of another kind", where=str(path), remedy=REMEDY) from error
    validate_table(study, found.epochs, str(path))
    return found


def _study(frame: pd.DataFrame, path: Path) -> ResolvedExperiment:
    try:
        return ResolvedExperiment.model_validate_json(frame[STUDY_COLUMN].iloc[0])
    except (ValueError, TypeError, IndexError, HarnessError) as error:
        raise HarnessError(
            "its first row does not hold the experiment that it is of, in the column study",
            where=str(path),
            remedy=REMEDY,
        ) from error


def _require_layers(frame: pd.DataFrame, path: Path) -> None:
    """Refuse values by layer that no figure could be drawn from."""
    for row, text in frame.get(LAYERS_COLUMN, pd.Series(dtype="str")).dropna().items():
        if not text:
            continue
        try:
            LayerProfile.model_validate_json(text)
        except (ValueError, TypeError) as error:
            raise HarnessError(
                f"the column {LAYERS_COLUMN} does not hold values by layer",
                where=f"{path}, row {int(str(row)) + 2}",
                remedy="Give a results.csv that `harness report` wrote, unchanged; without this column it is read too.",
            ) from error
