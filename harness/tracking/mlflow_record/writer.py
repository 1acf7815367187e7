"""Writing the record in MLflow: what the driver writes. The processes that train send their own histories.

There is a run per variant on the top level, with its trials nested under it. MLflow's UI folds nested runs away, so
its table and its charts compare variants.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.specs import ResolvedExperiment, Trial
from harness.specs.declarations.analysis import AnalysisLog
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import MeasuredCost
from harness.specs.network.any_variant import AnyVariant
from harness.text import escape_markdown
from harness.tracking.analyses.analysis_log import LOG_FOLDER, format_log
from harness.tracking.cost_metrics import COSTS_EXPERIMENT, summarise_cost
from harness.tracking.history import History
from harness.tracking.mlflow_record.artifacts import RunArtifacts
from harness.tracking.mlflow_record.descriptions import VariantDescription, describe_report_run, describe_trial_run
from harness.tracking.mlflow_record.duplicate_runs import remove_duplicate_runs
from harness.tracking.mlflow_record.experiment import list_experiments
from harness.tracking.mlflow_record.publishing.history_publisher import HistoryPublisher
from harness.tracking.mlflow_record.reader import MlflowReader
from harness.tracking.mlflow_record.run_creation import NewRun
from harness.tracking.mlflow_record.store.patience import Patience
from harness.tracking.mlflow_record.store.store_errors import wrap_store_errors
from harness.tracking.mlflow_record.tags import (
    COST,
    COST_FILE,
    COSTS,
    DATASET_TAG,
    END_TAG,
    ERROR_TAG,
    EXPERIMENT,
    EXPERIMENT_FILE,
    INTERRUPTED_TAG,
    MEASURED_TAG,
    NOTE_TAG,
    PARENT_TAG,
    REPORT,
    SEARCH,
    SEED_TAG,
    STORAGE_TAG,
    SUPERSEDED_TAG,
    TRACEBACK_FILE,
    TRIAL,
    TRIAL_TAG,
    UNENDED_STATUSES,
)
from harness.tracking.mlflow_record.trial_runs import RUN_STATUSES
from harness.tracking.mlflow_record.variant_runs import VariantRuns, variant_tags

LONGEST_ERROR = 500
"""Characters of an error message in a tag."""


class MlflowRecord(MlflowReader):
    """One experiment in one MLflow store, to read and to write."""

    def __init__(
        self,
        uri: str,
        name: str,
        create: bool = True,
        home: Path = Path(".depthbench"),
        patience: Patience | None = None,
    ) -> None:
        super().__init__(uri, name, create, home, patience)
        self.variant_runs = VariantRuns(self)

    @wrap_store_errors
    def create_experiment(self, study: ResolvedExperiment) -> None:
        """Create the experiment where it is missing."""
        self.ensure_experiment(EXPERIMENT, f"**{escape_markdown(study.experiment.question)}** No verdict yet.")

    @wrap_store_errors
    def prepare_runs(self, study: ResolvedExperiment, storage: str = "", write_experiment: bool = True) -> None:
        """Create those of the experiment, its run ``report`` and its runs of variants that are missing.

        Args:
            storage: Where the checkpoints of this run are.
            write_experiment: Whether to store the description of the experiment. A run of a single trial leaves the
                stored one.
        """
        self.create_experiment(study)
        self._write_tag(STORAGE_TAG, storage)
        self.refresh_runs()
        if not self.list_runs(REPORT):
            self.create_run(self.new_run(REPORT, REPORT, {}))
        if write_experiment:
            self.write_experiment(study)
        self.variant_runs.create_missing(study)
        self.refresh_runs()

    @wrap_store_errors
    def write_experiment(self, study: ResolvedExperiment) -> None:
        """Replace the stored description of the experiment, after another run."""
        self._artifacts(self._report_run_id()).write_text(EXPERIMENT_FILE, study.to_record_json())

    @wrap_store_errors
    def add_analyses(self, log: AnalysisLog) -> None:
        """Add analyses with their declarations, as an artifact of their own of the run ``report``."""
        self.prepare_to_write()
        name, content = format_log(log)
        self._artifacts(self._report_run_id()).write_text(f"{LOG_FOLDER}/{name}", content)

    def _artifacts(self, run_id: str) -> RunArtifacts:
        return RunArtifacts(self.client, run_id, self.home)

    def _report_run_id(self) -> str:
        return str(self.list_runs(REPORT)[-1].info.run_id)

    @wrap_store_errors
    def create_trial_run(self, study: ResolvedExperiment, trial: Trial, started: int = 0) -> str:
        """Return the id of a trial's run; create the run with status SCHEDULED if the trial has none.

        Args:
            started: When its first attempt began, in milliseconds since 1970; 0 for now.
        """
        run_id = self.create_run(self.new_trial_run(study, trial), started)
        if self.client.get_run(run_id).info.status == RUN_STATUSES[TrialStatus.RUNNING]:
            self.client.update_run(run_id, status=RUN_STATUSES[TrialStatus.NEW])
        return run_id

    @wrap_store_errors
    def new_trial_run(self, study: ResolvedExperiment, trial: Trial) -> NewRun:
        """Return the run of a trial, nested under its variant's run, for the process that creates it.

        A trial of a search is nested under the variant whose recipe is searched, and has a kind of its own.
        """
        is_search = study.purpose_of(trial) == "search"
        variant = trial.variant
        if is_search:
            variant = next(v for v in study.variants if v.identity() == trial.variant.identity())
        tags = variant_tags(variant) | {
            TRIAL_TAG: trial.id,
            SEED_TAG: str(trial.seed),
            DATASET_TAG: trial.data.name,
            PARENT_TAG: self.variant_runs.find(study, variant).info.run_id,
            NOTE_TAG: describe_trial_run(trial),
        }
        return self.new_run(SEARCH if is_search else TRIAL, trial.label, tags)

    @wrap_store_errors
    def remove_duplicate_runs(self) -> None:
        """Delete empty runs that the store created twice, see :mod:`harness.tracking.mlflow_record.duplicate_runs`."""
        remove_duplicate_runs(self)

    @wrap_store_errors
    def publish_history(self, run_id: str, history: History) -> None:
        """Send a history that its own process could not send; a complete one ends the run."""
        publisher = HistoryPublisher(self.client, run_id, is_training=False)
        publisher.finish(history) if history.is_complete else publisher.send(history)

    @wrap_store_errors
    def mark_failed(self, run_id: str, message: str, trace: str, ended: int = 0) -> None:
        """Mark a trial's run as failed, with the error as a tag and the traceback as an artifact.

        Args:
            ended: When it failed, in milliseconds since 1970; 0 for now.
        """
        self._artifacts(run_id).write_text(TRACEBACK_FILE, trace)
        self.client.set_tag(run_id, ERROR_TAG, message[:LONGEST_ERROR])
        self.client.set_terminated(run_id, RUN_STATUSES[TrialStatus.FAILED], ended or None)

    @wrap_store_errors
    def mark_interrupted(self, run_id: str, reason: str, ended: int = 0) -> None:
        """Mark a trial's run as interrupted; the next ``harness run`` resumes the trial.

        Args:
            ended: When its training stopped, in milliseconds since 1970; 0 for now.
        """
        self.client.set_tag(run_id, INTERRUPTED_TAG, reason)
        self.client.set_terminated(run_id, RUN_STATUSES[TrialStatus.INTERRUPTED], ended or None)

    @wrap_store_errors
    def supersede_trials(self, trials: Iterable[str], reason: str) -> None:
        """Tag the runs of some trials as superseded, in every experiment of the store. Nothing is deleted."""
        identities = set(trials)
        for run in self.search_runs([experiment.experiment_id for experiment in list_experiments(self.client)]):
            if run.data.tags.get(TRIAL_TAG) in identities and SUPERSEDED_TAG not in run.data.tags:
                self.client.set_tag(run.info.run_id, SUPERSEDED_TAG, reason)
                if run.info.status in UNENDED_STATUSES:
                    self.client.set_terminated(run.info.run_id, RUN_STATUSES[TrialStatus.SUPERSEDED])
        self.refresh_runs()

    @wrap_store_errors
    def write_seed_means(self, study: ResolvedExperiment, variant: AnyVariant, histories: Sequence[History]) -> None:
        """Write the means over a variant's seeds to the variant's run, which MLflow's UI compares."""
        self.variant_runs.write_means(study, variant, histories)

    @wrap_store_errors
    def describe_variants(self, study: ResolvedExperiment, descriptions: Mapping[str, VariantDescription]) -> None:
        """Write a report's description and numbers of each variant to the variant's run.

        Args:
            descriptions: By the variant's name.
        """
        self.variant_runs.describe(study, descriptions)

    @wrap_store_errors
    def attach_report(self, directory: Path, headline: str) -> None:
        """Upload a report's files to the run ``report``, and describe the experiment by the report's headline."""
        run_id = self._report_run_id()
        self._artifacts(run_id).add_files(directory)
        self.client.set_tag(run_id, NOTE_TAG, describe_report_run(self.name, headline))
        # A report that is written again later does not make the experiment last longer.
        self.client.set_terminated(run_id, "FINISHED", self.client.get_run(run_id).info.end_time)
        self._write_tag(NOTE_TAG, headline)

    @wrap_store_errors
    def write_end_reason(self, reason: str, has_trained: bool = True) -> None:
        """Write to the run ``report`` how the last ``harness run`` ended, and when.

        Args:
            has_trained: Whether it trained something. If not, the run keeps the end of an earlier one.
        """
        report = self.list_runs(REPORT)[-1].info
        self.client.set_tag(report.run_id, END_TAG, reason)
        # Only a report makes this run FINISHED.
        status = "KILLED" if report.status in UNENDED_STATUSES else report.status
        self.client.set_terminated(report.run_id, status, None if has_trained else report.end_time)

    @wrap_store_errors
    def record_cost(self, cost: MeasuredCost) -> None:
        """Create a run for a measured cost: settings are parameters, means are metrics, raw values are an artifact."""
        from mlflow.entities import Metric, Param

        if self.name == COSTS_EXPERIMENT:
            self.ensure_experiment(COSTS, "Costs of variants, measured by `harness bench`.")
        else:
            self.ensure_experiment(EXPERIMENT, "Measured by `harness bench`; its trials have not run yet.")
        tags = variant_tags(cost.variant) | {MEASURED_TAG: cost.key}
        if cost.busy:
            tags[NOTE_TAG] = f"Contended: {cost.busy}."
        parent = self.variant_runs.find_by_name(cost.variant.name)
        if parent is not None:
            tags[PARENT_TAG] = parent.info.run_id
        name = f"{cost.label}, {cost.setting.device}, batch {cost.batch}, {cost.setting.precision}"
        now = int(time.time() * 1000)
        run_id = self.create_run(self.new_run(COST, name, tags), cost.repeats[0].at if cost.repeats else now)
        params = {**cost.setting.model_dump(mode="json"), **cost.conditions, "batch": cost.batch}
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, now, 0) for key, value in summarise_cost(cost).items()],
            params=[Param(key, str(value)) for key, value in params.items()],
        )
        self._artifacts(run_id).write_text(COST_FILE, cost.model_dump_json(exclude_defaults=True))
        self.client.set_terminated(run_id, "FINISHED")
