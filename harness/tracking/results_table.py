"""The tidy table of an experiment's results, made from histories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from harness.specs import ResolvedExperiment
from harness.specs.adaptive.needed_seeds import count_needed_seeds
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import MeasuredCost
from harness.tracking.cost_metrics import select_trial_costs
from harness.tracking.history import History
from harness.tracking.metrics import (
    COST_METRICS,
    EPOCH_METRICS,
    EVALUATED_ERRORS,
    MEASURED_COSTS,
    TEST_ACCURACY,
    VALIDATION_ERROR,
)
from harness.tracking.table_validation import require_equal_costs

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
"""The column that holds a trial's values by layer as JSON, a :class:`LayerProfile`, in its first and its last row."""
DATA_COLUMN = "data"
"""The column that holds the name of a trial's data set, in results of several data sets only."""
TABLE_COLUMNS = [
    *IDENTITY_COLUMNS,
    *EPOCH_METRICS,
    *COST_METRICS,
    *MEASURED_COSTS,
    *PROVENANCE_COLUMNS,
    LAYERS_COLUMN,
]
TEXT_COLUMNS = (
    "trial",
    "variant",
    "family",
    "shortcut",
    "outcome",
    "device",
    "kernels",
    "software",
    "revision",
    "at",
    LAYERS_COLUMN,
)
"""Columns whose missing values become empty text."""

UNLIKE_REMEDY = (
    "The factory reads something that its hash does not cover, such as a data file, and that has changed. Put such "
    "values into args. Discard the trials of the old network (`harness discard ID`), then run the experiment again."
)


def _empty_table() -> pd.DataFrame:
    return set_column_types(pd.DataFrame([], columns=TABLE_COLUMNS))


@dataclass(frozen=True)
class Results:
    """The recorded results of an experiment.

    Attributes:
        study: The resolved experiment, with its declared contrasts.
        epochs: One row per (trial, epoch), with the columns :data:`TABLE_COLUMNS`, ordered by variant as declared,
            seed and epoch. The column ``outcome`` holds a :class:`TrialStatus`. Metrics that were not measured are
            NaN.
        tuning: Rows of the same form for the trials of a search and for those with the chosen recipes. They are not
            compared at the common recipe: :attr:`final` and the statistics leave them out.

    With several data sets the tables also have the column :data:`DATA_COLUMN`, and the :attr:`views` have the results
    on each of them.
    """

    study: ResolvedExperiment
    epochs: pd.DataFrame
    tuning: pd.DataFrame = field(default_factory=_empty_table)

    @property
    def final(self) -> pd.DataFrame:
        """One row per trial, its last epoch; a diverged trial has the error of guessing in every error.

        The budget is fixed beforehand, so the last epoch is the result, never the best one.
        """
        if len(self.study.data_sets) > 1:
            return _join_tables([(view.study.data.title, view.final) for view in self.views])
        last = self.epochs.drop_duplicates("trial", keep="last").reset_index(drop=True)
        diverged = last["outcome"] == TrialStatus.DIVERGED
        if not diverged.any():
            return last
        errors = [key for key in EVALUATED_ERRORS if last[key].notna().any() or key != VALIDATION_ERROR]
        last.loc[diverged, errors] = self.study.data.chance_error
        last.loc[diverged, TEST_ACCURACY] = 100 - self.study.data.chance_error
        return last

    @property
    def views(self) -> tuple[Results, ...]:
        """The results on each data set, without the column :data:`DATA_COLUMN`; themselves where there is only one."""
        if len(self.study.data_sets) == 1:
            return (self,)
        return tuple(Results(view, self._rows_on(view.data.title)) for view in self.study.views)

    def _rows_on(self, title: str) -> pd.DataFrame:
        rows = self.epochs[self.epochs[DATA_COLUMN] == title]
        return rows.drop(columns=DATA_COLUMN).reset_index(drop=True)

    @property
    def tuned(self) -> Results | None:
        """The results of the same variants with the recipes chosen for them; None before every variant has one."""
        if self.study.tuned is None:
            return None
        trials = {trial.id: (number, trial.variant.name) for number, trial in enumerate(self.study.tuned.trials)}
        # Where the chosen recipe is the common one, its trials are among those compared.
        rows = pd.concat([self.epochs, self.tuning])
        rows = rows[rows["trial"].isin(list(trials))]
        rows = rows.assign(
            variant=[trials[trial][1] for trial in rows["trial"]], order=[trials[trial][0] for trial in rows["trial"]]
        )
        ordered = rows.sort_values(["order", "epoch"], kind="stable").drop(columns="order")
        return Results(self.study.tuned, ordered.reset_index(drop=True))

    @property
    def missing(self) -> list[tuple[str, int]]:
        """(variant, seed) of the trials that the experiment declares and the record does not hold.

        Of an adaptive experiment, only the stages that were reached count: it may never need the others.
        """
        recorded = set(self.epochs["trial"])
        pairs = [(t.variant.name, t.seed) for t in self.study.trials if t.id in recorded]
        needed = {
            name: set(self.study.experiment.seeds[:n]) for name, n in count_needed_seeds(self.study, pairs).items()
        }
        return [
            (t.variant.name, t.seed)
            for t in self.study.trials
            if t.id not in recorded and t.seed in needed.get(t.variant.name, {t.seed})
        ]


def build_results_table(
    study: ResolvedExperiment, histories: Iterable[History], costs: Sequence[MeasuredCost] = ()
) -> Results:
    """Return the table of those histories that are complete and belong to the experiment.

    Args:
        costs: Measured costs, oldest first. A trial's rows have those that were measured under its conditions.

    Raises:
        HarnessError: Trials of one variant have unlike numbers of parameters or MACs: they are no seeds of one network.
    """
    if len(study.data_sets) > 1:
        known = list(histories)
        return join_data_sets(study, [build_results_table(view, known, costs) for view in study.views])
    trials = {trial.id: trial for trial in study.all_trials}
    complete = {history.id: history for history in histories if history.is_complete and history.id in trials}
    rows: list[dict[str, Any]] = []
    for identity, trial in trials.items():
        if identity not in complete:
            continue
        history, variant = complete[identity], trial.variant
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
            profile = "" if layers is None else layers.model_dump_json()
            rows.append(constant | {"epoch": epoch.epoch, "at": at, LAYERS_COLUMN: profile} | epoch.metrics)
    table = set_column_types(pd.DataFrame(rows, columns=TABLE_COLUMNS))
    require_equal_costs(table, f"record of {study.experiment.name}", UNLIKE_REMEDY)
    return split_by_purpose(study, table)


def join_data_sets(study: ResolvedExperiment, views: Sequence[Results]) -> Results:
    """Return the results of an experiment from its results on each of its data sets."""
    return Results(study, _join_tables([(view.study.data.title, view.epochs) for view in views]))


def _join_tables(tables: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Return tables of several data sets as one, with the name of each in the column :data:`DATA_COLUMN`."""
    joined = pd.concat([table.assign(**{DATA_COLUMN: title}) for title, table in tables], ignore_index=True)
    others = [column for column in joined.columns if column != DATA_COLUMN]
    return joined[[others[0], DATA_COLUMN, *others[1:]]]


def split_by_purpose(study: ResolvedExperiment, table: pd.DataFrame) -> Results:
    """Return results with one table of the compared trials, and one of the search and of the chosen recipes."""
    compared = {trial.id for trial in study.trials}
    is_tuning = table["trial"].isin([trial.id for trial in study.all_trials if trial.id not in compared])
    return Results(study, table[~is_tuning].reset_index(drop=True), table[is_tuning].reset_index(drop=True))


def set_column_types(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with column types that do not depend on whether it came from histories or from a file."""
    for key in (*EPOCH_METRICS, *MEASURED_COSTS):
        table[key] = table[key].astype("float64")
    for key in ("depth", "seed", "epoch", "threads", *COST_METRICS):
        table[key] = table[key].astype("int64")
    for key in ("plain", "shared"):
        table[key] = table[key].astype("bool")
    for key in TEXT_COLUMNS:
        table[key] = table[key].fillna("").astype("str")
    # Setting column after column has fragmented the table; a copy makes every later selection of rows faster.
    return table.copy()
