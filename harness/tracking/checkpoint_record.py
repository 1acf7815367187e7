"""The record without MLflow (``--tracking-uri none``): the histories in the trials' checkpoints are the record."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment, Trial
from harness.specs.declarations.analysis import AnalysisLog
from harness.specs.declarations.declare import add_logs
from harness.specs.measured_cost import MeasuredCost
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.analyses.analysis_log import LOG_FOLDER, read_log_folder, write_log_file
from harness.tracking.cost_metrics import parse_cost
from harness.tracking.history import History, read_newest_history
from harness.tracking.mlflow_record.descriptions import VariantDescription
from harness.tracking.mlflow_record.store.patience import Patience
from harness.tracking.recorded_trial import RecordedTrial


class CheckpointRecord:
    """One experiment whose record is the checkpoints of its trials.

    It has the methods of :class:`harness.tracking.record.Record`. Those that write to MLflow's runs do nothing.

    Args:
        home: Holds the experiment's description, its lease and its measured costs, as files.
        name: The experiment's name.
        storage: The folder that holds a folder of checkpoints for each trial.
        patience: Unused: files need no patience.
    """

    uri = ""

    def __init__(self, home: Path, name: str, storage: Folder, patience: Patience | None = None) -> None:
        self.home, self.name, self.folder = home, name, storage
        self.patience = patience or Patience()
        self.address = str(home)

    @property
    def _experiment_path(self) -> Path:
        return self.home / "studies" / f"{self.name}.json"

    @property
    def _lease_path(self) -> Path:
        return self.home / "locks" / f"{self.name}.json"

    @property
    def _costs_path(self) -> Path:
        return self.home / "costs" / self.name

    @property
    def _log_folder(self) -> Path:
        return self.home / LOG_FOLDER / self.name

    @property
    def is_new(self) -> bool:
        """Whether the experiment never ran with this home."""
        return not self._experiment_path.is_file()

    def read_experiment(self) -> ResolvedExperiment:
        """Return the experiment as it was last run.

        Raises:
            HarnessError: It never ran with this home.
        """
        path = self._experiment_path
        if not path.is_file():
            raise HarnessError(
                f"no experiment '{self.name}' is recorded",
                where=self.address,
                remedy=f"Run it first: harness run {self.name}",
            )
        try:
            study = ResolvedExperiment.model_validate_json(path.read_text())
        except (OSError, ValidationError) as error:
            raise HarnessError(
                "this version cannot read the experiment in this file",
                where=str(path),
                remedy="Run the experiment again: it does not train a trained trial again.",
            ) from error
        return add_logs(study, read_log_folder(self._log_folder))

    def add_analyses(self, log: AnalysisLog) -> None:
        """Add analyses with their declarations, in a file of their own."""
        write_log_file(self._log_folder, log)

    def read_other_analyses(self) -> list[AnalysisLog]:
        """Return the analyses of the other experiments in this home."""
        folders = sorted(path for path in self._log_folder.parent.glob("*") if path != self._log_folder)
        return [log for folder in folders for log in read_log_folder(folder)]

    def write_experiment(self, study: ResolvedExperiment) -> None:
        """Replace the stored description of the experiment, after another run."""
        write_atomic(self._experiment_path, study.to_record_json().encode())

    def read_trials(self) -> dict[str, RecordedTrial]:
        """Return the trials whose history is complete, by id."""
        return {
            identity: RecordedTrial(
                run_id="",
                status=history.outcome,
                run_status="FINISHED",
                name=history.trial.label,
                seconds=history.seconds,
                memory=history.memory,
            )
            for identity in self.folder.list_names()
            if re.fullmatch("[0-9a-f]{12}", identity)
            and (history := read_newest_history(self.folder / identity, identity)) is not None
            and history.is_complete
        }

    def read_superseded_trials(self) -> dict[str, list[RecordedTrial]]:
        """Return nothing: archived folders hold the reason themselves."""
        return {}

    def read_unended_trials(self) -> dict[str, RecordedTrial]:
        """Return nothing: no run could still be marked as running."""
        return {}

    def read_histories(self, trials: Iterable[str]) -> list[History]:
        """Return the complete history of each given trial that has one."""
        histories = (read_newest_history(self.folder / trial, trial) for trial in trials)
        return [history for history in histories if history is not None and history.is_complete]

    def find_in_other_experiments(self, trials: Iterable[str]) -> dict[str, Callable[[], History]]:
        """Return nothing: all experiments share the checkpoints."""
        return {}

    def read_traceback(self, run_id: str) -> str:
        """Return nothing: the trial's attempt file holds the traceback."""
        return ""

    def read_storage(self) -> str:
        """Return nothing: checkpoints at another place are another record."""
        return ""

    def read_costs(self) -> list[MeasuredCost]:
        """Return the measured costs, oldest first."""
        return [parse_cost(path.read_bytes(), str(path)) for path in sorted(self._costs_path.glob("*.json"))]

    def record_cost(self, cost: MeasuredCost) -> None:
        """Write a measured cost to a file of its own."""
        at = cost.repeats[-1].at if cost.repeats else 0
        path = self._costs_path / f"{at:013d}-{cost.key}.json"
        write_atomic(path, cost.model_dump_json(exclude_defaults=True).encode())

    @property
    def lease_place(self) -> Path:
        """The directory that holds the lease."""
        return self.home

    @property
    def is_read_only(self) -> bool:
        """Whether the home may only be read."""
        return self.home.exists() and not os.access(self.home, os.W_OK)

    def read_lease(self) -> str:
        """Return the lease of the process that holds the experiment; empty where no process does."""
        try:
            return self._lease_path.read_text()
        except OSError:
            return ""

    def write_lease(self, content: str) -> None:
        """Replace the lease; an empty one frees the experiment."""
        if content:
            write_atomic(self._lease_path, content.encode())
        else:
            self._lease_path.unlink(missing_ok=True)

    def create_experiment(self, study: ResolvedExperiment) -> None:
        """Do nothing: a lease needs no experiment here."""

    def prepare_runs(self, study: ResolvedExperiment, storage: str = "", write_experiment: bool = True) -> None:
        """Store the description of the experiment, unless this is a run of a single trial."""
        if write_experiment:
            self.write_experiment(study)

    def refresh_runs(self, variant: str | None = None) -> None:
        """Do nothing: nothing is cached."""

    def create_trial_run(self, study: ResolvedExperiment, trial: Trial, started: int = 0) -> str:
        """Return an empty id: there are no runs."""
        return ""

    def new_trial_run(self, study: ResolvedExperiment, trial: Trial) -> None:
        """Return None: there are no runs."""

    def remove_duplicate_runs(self) -> None:
        """Do nothing: there are no runs."""

    def publish_history(self, run_id: str, history: History) -> None:
        """Do nothing: the checkpoint holds the history."""

    def mark_failed(self, run_id: str, message: str, trace: str, ended: int = 0) -> None:
        """Do nothing: the trial's attempt file holds the error."""

    def mark_interrupted(self, run_id: str, reason: str, ended: int = 0) -> None:
        """Do nothing: the trial's attempt file shows it."""

    def supersede_trials(self, trials: Iterable[str], reason: str) -> None:
        """Do nothing: the driver archives the trials' folders."""

    def write_seed_means(self, study: ResolvedExperiment, variant: AnyVariant, histories: Sequence[History]) -> None:
        """Do nothing: there is no UI that would show the means."""

    def describe_variants(self, study: ResolvedExperiment, descriptions: Mapping[str, VariantDescription]) -> None:
        """Do nothing: there is no UI that would show the descriptions."""

    def attach_report(self, directory: Path, headline: str) -> None:
        """Do nothing: the report is in its directory."""

    def write_end_reason(self, reason: str, has_trained: bool = True) -> None:
        """Do nothing: the command has printed the reason."""
