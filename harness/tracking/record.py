"""The record of one experiment: its interface, and how it is opened. MLflow holds it, or the checkpoints alone do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from harness.io.storage import Folder
from harness.settings import Settings
from harness.specs import ResolvedExperiment, Trial
from harness.specs.declarations.analysis import AnalysisLog
from harness.specs.measured_cost import MeasuredCost
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.history import History
from harness.tracking.mlflow_record.descriptions import VariantDescription
from harness.tracking.mlflow_record.experiment import list_experiment_names
from harness.tracking.mlflow_record.run_creation import NewRun
from harness.tracking.mlflow_record.store.addresses import NO_STORE, choose_tracking_uri, redact_passwords
from harness.tracking.mlflow_record.store.client import has_store, open_store
from harness.tracking.mlflow_record.store.patience import Patience
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.tracking.recorded_trial import RecordedTrial


class Record(Protocol):
    """The record of one experiment.

    :class:`~harness.tracking.mlflow_record.writer.MlflowRecord` and
    :class:`~harness.tracking.checkpoint_record.CheckpointRecord` implement it.

    Attributes:
        name: The experiment's name.
        uri: The tracking store; empty where there is no MLflow.
        address: The store or directory without a password, for messages.
        is_new: Whether the experiment never ran here.
        is_read_only: Whether the record is in files of this machine that may only be read.
        lease_place: The file or directory of this machine that holds the lease; None where a server holds it.
        patience: How long each call waits for a store that does not answer.
    """

    name: str
    uri: str
    patience: Patience

    @property
    def address(self) -> str: ...

    @property
    def is_new(self) -> bool: ...

    @property
    def is_read_only(self) -> bool: ...

    @property
    def lease_place(self) -> Path | None: ...

    # The experiment as a whole.

    def create_experiment(self, study: ResolvedExperiment) -> None:
        """Create the experiment where it is missing; this has to come before its lock."""

    def prepare_runs(self, study: ResolvedExperiment, storage: str = "", write_experiment: bool = True) -> None:
        """Create the missing runs of a report and of variants, and store the description of the experiment.

        Args:
            storage: Where the checkpoints of this run are.
            write_experiment: False for a run of a single trial, which leaves the stored description.
        """

    def read_experiment(self) -> ResolvedExperiment:
        """Return the experiment as it was last run, or raise a HarnessError where it never ran."""
        ...

    def write_experiment(self, study: ResolvedExperiment) -> None:
        """Replace the stored description of the experiment, after another run."""

    def add_analyses(self, log: AnalysisLog) -> None:
        """Add analyses with their declarations; :meth:`read_experiment` returns them. Nothing is replaced."""

    def read_other_analyses(self) -> list[AnalysisLog]:
        """Return the analyses of the other experiments in the store, which may be this one under another name."""
        ...

    def read_storage(self) -> str:
        """Return where the checkpoints of the experiment's last run are; empty where that is not known."""
        ...

    def read_lease(self) -> str:
        """Return the lease of the process that holds the experiment; empty where no process does."""
        ...

    def write_lease(self, content: str) -> None:
        """Replace the lease; an empty one frees the experiment."""

    # Its trials.

    def refresh_runs(self, variant: str | None = None) -> None:
        """Forget what was read before; with ``variant`` read only the runs of the variant of this name again."""

    def read_trials(self) -> dict[str, RecordedTrial]:
        """Return the newest entry of each trial by its id."""
        ...

    def read_superseded_trials(self) -> dict[str, list[RecordedTrial]]:
        """Return the entries that were taken out of the record, by trial id, oldest first."""
        ...

    def read_unended_trials(self) -> dict[str, RecordedTrial]:
        """Return the trials whose runs did not end in MLflow, by id."""
        ...

    def read_histories(self, trials: Iterable[str]) -> list[History]:
        """Return the complete history of each given trial that is recorded here."""
        ...

    def find_in_other_experiments(self, trials: Iterable[str]) -> dict[str, Callable[[], History]]:
        """Return a function that reads the history of each given trial that another experiment has recorded, by id."""
        ...

    def create_trial_run(self, study: ResolvedExperiment, trial: Trial, started: int = 0) -> str:
        """Return the id of a trial's run; create the run if the trial has none.

        Args:
            started: When its first attempt began, in milliseconds since 1970; 0 for now.
        """
        ...

    def new_trial_run(self, study: ResolvedExperiment, trial: Trial) -> NewRun | None:
        """Return the run of a trial, for the process that creates it; None if there are no runs."""
        ...

    def remove_duplicate_runs(self) -> None:
        """Delete runs that a server created for a request which it had seemed to lose."""

    def publish_history(self, run_id: str, history: History) -> None:
        """Send a history that the trial's own process could not send. End the run if the history is complete."""

    def mark_failed(self, run_id: str, message: str, trace: str, ended: int = 0) -> None:
        """Mark a trial's run as failed, at ``ended`` in milliseconds since 1970; 0 for now."""

    def mark_interrupted(self, run_id: str, reason: str, ended: int = 0) -> None:
        """Mark a trial's run as interrupted, at ``ended``; the next ``harness run`` resumes the trial."""

    def supersede_trials(self, trials: Iterable[str], reason: str) -> None:
        """Take trials out of the record of every experiment, without deleting anything."""

    def read_traceback(self, run_id: str) -> str:
        """Return the traceback of a failed trial."""
        ...

    # Its variants, its report and its costs.

    def write_seed_means(self, study: ResolvedExperiment, variant: AnyVariant, histories: Sequence[History]) -> None:
        """Write the means over a variant's seeds."""

    def describe_variants(self, study: ResolvedExperiment, descriptions: Mapping[str, VariantDescription]) -> None:
        """Write a report's descriptions of the variants, by the variant's name."""

    def attach_report(self, directory: Path, headline: str) -> None:
        """Upload a report's files, and describe the experiment by the report's headline."""

    def write_end_reason(self, reason: str, has_trained: bool = True) -> None:
        """Write how the last ``harness run`` ended, and when, if it has trained something."""

    def record_cost(self, cost: MeasuredCost) -> None:
        """Add a measured cost."""

    def read_costs(self) -> list[MeasuredCost]:
        """Return the measured costs, oldest first."""
        ...


def open_record(settings: Settings, experiment: str, create: bool = True, patience: Patience | None = None) -> Record:
    """Open the record of an experiment.

    Args:
        experiment: Its name.
        create: Whether to create a store that does not exist yet.
        patience: How long to wait for a store that does not answer, now and in every later call; None: not at all.

    Raises:
        HarnessError: The store does not answer.
    """
    uri = choose_tracking_uri(settings.tracking_uri, settings.home)
    if uri == NO_STORE:
        return CheckpointRecord(settings.home, experiment, open_checkpoint_folder(settings), patience)
    return MlflowRecord(uri, experiment, create, settings.home, patience)


def open_checkpoint_folder(settings: Settings) -> Folder:
    """Return the folder that holds the checkpoints of all trials: ``--storage``, else ``trials`` in the home."""
    return Folder.from_location(settings.home / "trials" if settings.storage is None else settings.storage)


def has_mlflow(settings: Settings) -> bool:
    """Return whether the record is kept in MLflow."""
    return choose_tracking_uri(settings.tracking_uri, settings.home) != NO_STORE


def list_recorded_experiments(settings: Settings, patience: Patience | None = None) -> list[str]:
    """Return the names of the recorded experiments, oldest first.

    Args:
        patience: How long to wait for a store that does not answer; None: not at all.

    Raises:
        HarnessError: The store does not answer.
    """
    uri = choose_tracking_uri(settings.tracking_uri, settings.home)
    if uri == NO_STORE:
        return sorted(path.stem for path in (settings.home / "studies").glob("*.json"))
    patience = patience or Patience()
    is_there = patience.retry(lambda: has_store(uri), redact_passwords(uri))
    return list_experiment_names(open_store(uri, patience)) if is_there else []
