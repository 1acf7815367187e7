"""Reading the record in MLflow: an experiment, its trials, their histories, measured costs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, suggest_nearest
from harness.specs import ResolvedExperiment
from harness.specs.declarations.analysis import AnalysisLog
from harness.specs.declarations.declare import add_logs
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import MeasuredCost
from harness.tracking.analyses.analysis_log import LOG_FOLDER, parse_log
from harness.tracking.cost_metrics import parse_cost
from harness.tracking.history import HISTORY_FILE, History, parse_history
from harness.tracking.mlflow_record.artifacts import RunArtifacts
from harness.tracking.mlflow_record.experiment import MlflowExperiment
from harness.tracking.mlflow_record.store.patience import Patience
from harness.tracking.mlflow_record.store.store_errors import wrap_store_errors
from harness.tracking.mlflow_record.tags import (
    COST,
    COST_FILE,
    EXPERIMENT_FILE,
    KIND_TAG,
    REPORT,
    SEARCH,
    SUPERSEDED_TAG,
    TRACEBACK_FILE,
    TRIAL,
    TRIAL_TAG,
    VARIANT,
)
from harness.tracking.mlflow_record.trial_runs import is_complete, read_trial_run
from harness.tracking.recorded_trial import RecordedTrial

if TYPE_CHECKING:
    from mlflow.entities import Run

READER_THREADS = 8


class MlflowReader(MlflowExperiment):
    """One experiment in one MLflow store, to read."""

    def __init__(
        self,
        uri: str,
        name: str,
        create: bool = True,
        home: Path = Path(".depthbench"),
        patience: Patience | None = None,
    ) -> None:
        self._recorded_trials: dict[str, RecordedTrial] | None = None
        super().__init__(uri, name, create, home, patience)

    def on_runs_changed(self) -> None:
        """Forget the trials that were read from the runs."""
        self._recorded_trials = None

    @property
    def is_new(self) -> bool:
        """Whether the experiment never ran in this store.

        An experiment whose first run ended before it could store its description is new as well.
        """
        reports = self.list_runs(REPORT)
        return not reports or (not self.list_runs(VARIANT) and not self._has_experiment_file(reports[-1].info.run_id))

    @wrap_store_errors
    def _has_experiment_file(self, run_id: str) -> bool:
        return RunArtifacts(self.client, run_id, self.home).has(EXPERIMENT_FILE)

    @wrap_store_errors
    def read_experiment(self) -> ResolvedExperiment:
        """Return the experiment as it was last run.

        Raises:
            HarnessError: It never ran in this store.
        """
        reports = self.list_runs(REPORT)
        if not reports:
            others = self.list_other_names()
            raise HarnessError(
                f"no experiment '{self.name}' is recorded",
                where=self.address,
                remedy=suggest_nearest(self.name, others) if others else f"Run it first: harness run {self.name}",
            )
        run_id = reports[-1].info.run_id
        study = ResolvedExperiment.model_validate_json(self._read_artifact(run_id, EXPERIMENT_FILE))
        return add_logs(study, self._read_logs(run_id))

    def _read_logs(self, run_id: str) -> list[AnalysisLog]:
        """Return the analyses among the artifacts of a run ``report``."""
        artifacts = RunArtifacts(self.client, run_id, self.home)
        names = self.patience.retry(lambda: artifacts.list_names(LOG_FOLDER), self.address)
        return [parse_log(self._read_artifact(run_id, name), f"{name} of MLflow run {run_id}") for name in names]

    @wrap_store_errors
    def read_other_analyses(self) -> list[AnalysisLog]:
        """Return the analyses of the other experiments in the store."""
        others = self.other_experiment_ids()
        if not others:
            return []
        runs = self.search_runs(others, f"tags.`{KIND_TAG}` = '{REPORT}'")
        return [log for run in runs for log in self._read_logs(run.info.run_id)]

    @wrap_store_errors
    def read_trials(self) -> dict[str, RecordedTrial]:
        """Return one run of each trial by its id: the newest complete run, or the newest one if none is complete."""
        runs = self._list_trial_runs()
        if self._recorded_trials is not None:
            return self._recorded_trials
        trials: dict[str, RecordedTrial] = {}
        for run in runs:
            if SUPERSEDED_TAG in run.data.tags:
                continue
            trial = read_trial_run(run)
            earlier = trials.get(run.data.tags[TRIAL_TAG])
            if earlier is None or trial.is_recorded or not earlier.is_recorded:
                trials[run.data.tags[TRIAL_TAG]] = trial
        self._recorded_trials = trials
        return trials

    def _list_trial_runs(self) -> list[Run]:
        return [*self.list_runs(TRIAL), *self.list_runs(SEARCH)]

    @wrap_store_errors
    def read_superseded_trials(self) -> dict[str, list[RecordedTrial]]:
        """Return the runs that were taken out of this experiment's record, by trial id, oldest first."""
        trials: dict[str, list[RecordedTrial]] = {}
        for run in self._list_trial_runs():
            if SUPERSEDED_TAG in run.data.tags:
                trial = replace(read_trial_run(run), error=run.data.tags[SUPERSEDED_TAG])
                trials.setdefault(run.data.tags[TRIAL_TAG], []).append(trial)
        return trials

    @wrap_store_errors
    def read_unended_trials(self) -> dict[str, RecordedTrial]:
        """Return the trials whose runs did not end in MLflow, by id.

        The process that holds the experiment's lock knows whether they are trained now.
        """
        self.refresh_runs()
        unended = (TrialStatus.NEW, TrialStatus.RUNNING)
        return {identity: trial for identity, trial in self.read_trials().items() if trial.status in unended}

    @wrap_store_errors
    def read_histories(self, trials: Iterable[str]) -> list[History]:
        """Return the histories of those of the trials that are recorded here."""
        recorded = self.read_trials()
        run_ids = [recorded[trial].run_id for trial in trials if trial in recorded and recorded[trial].is_recorded]
        with ThreadPoolExecutor(READER_THREADS) as pool:
            return list(pool.map(self._read_history, run_ids))

    def _read_history(self, run_id: str) -> History:
        return parse_history(self._read_artifact(run_id, HISTORY_FILE), f"{HISTORY_FILE} of MLflow run {run_id}")

    @wrap_store_errors
    def find_in_other_experiments(self, trials: Iterable[str]) -> dict[str, Callable[[], History]]:
        """Return a function that reads the history of each given trial that another experiment has recorded, by id."""
        missing = set(trials)
        others = self.other_experiment_ids()
        if not missing or not others:
            return {}
        readers: dict[str, Callable[[], History]] = {}
        for run in self.search_runs(others):
            trial = run.data.tags.get(TRIAL_TAG)
            if trial in missing and is_complete(run) and SUPERSEDED_TAG not in run.data.tags:
                readers[trial] = lambda run_id=run.info.run_id: self._read_history(run_id)  # type: ignore[misc]
        return readers

    @wrap_store_errors
    def read_traceback(self, run_id: str) -> str:
        """Return the traceback of a failed trial."""
        return self._read_artifact(run_id, TRACEBACK_FILE).decode(errors="replace")

    @wrap_store_errors
    def read_costs(self) -> list[MeasuredCost]:
        """Return the measured costs that are recorded here, oldest first."""
        run_ids = [run.info.run_id for run in self.list_runs(COST) if run.info.status == "FINISHED"]
        with ThreadPoolExecutor(READER_THREADS) as pool:
            return [cost for cost in pool.map(self._read_cost, run_ids) if cost is not None]

    def _read_cost(self, run_id: str) -> MeasuredCost | None:
        """Return a measured cost; warn and return None where it cannot be read, as a report can do without it."""
        try:
            return parse_cost(self._read_artifact(run_id, COST_FILE), f"{COST_FILE} of MLflow run {run_id}")
        except HarnessError as error:
            warnings.warn(str(error), stacklevel=2)
            return None

    def _read_artifact(self, run_id: str, name: str) -> bytes:
        return self.patience.retry(lambda: RunArtifacts(self.client, run_id, self.home).read(name), self.address)
