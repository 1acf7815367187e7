"""The record in MLflow, written: the driver's part. What trials write themselves is the outbox's.

Design.md of the project says why there is a run per variant on top: the UI folds nested runs away, so its table and
charts compare variants.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.specs import ExternalNetwork, ResolvedExperiment, Trial
from harness.specs.identity import digest
from harness.specs.measured_cost import MeasuredCost
from harness.specs.network.any_variant import AnyVariant
from harness.text import escape_markdown
from harness.tracking.cost_metrics import COSTS_EXPERIMENT, summarise_cost
from harness.tracking.history import FORMAT, History
from harness.tracking.mlflow_record.client import choose_artifact_root, wrap_store_errors
from harness.tracking.mlflow_record.descriptions import NOTE, VariantDescription, describe_report_run, describe_trial_run, describe_variant_run
from harness.tracking.mlflow_record.publisher import HistoryPublisher, build_dataset_input, flatten_params
from harness.tracking.mlflow_record.reader import COST, COST_FILE, FORMAT_TAG, KIND, LOCK, REPORT, SEARCH, STORAGE, STUDY_FILE, SUPERSEDED, TRACEBACK, TRIAL, UNENDED, MlflowReader, list_experiments
from harness.tracking.mlflow_record.seed_means import compute_seed_means

if TYPE_CHECKING:
    from mlflow.entities import Run


class MlflowRecord(MlflowReader):
    """One experiment in one MLflow store, to read and to write."""

    @wrap_store_errors
    def create(self, study: ResolvedExperiment) -> None:
        """Create the experiment where it is missing."""
        self._create_experiment("experiment", f"**{escape_markdown(study.experiment.question)}** No verdict yet.")

    def _create_experiment(self, kind: str, note: str) -> None:
        if self.experiment_id is not None:
            return
        artifacts = choose_artifact_root(self.uri, self.home)
        location = None if artifacts is None else (artifacts / self.name).as_uri()
        # Else the UI's pages are those for language models' traces.
        tags = {KIND: kind, FORMAT_TAG: str(FORMAT), NOTE: note, "mlflow.experimentKind": "custom_model_development"}
        found = self.client.get_experiment_by_name(self.name)
        self.experiment_id = found.experiment_id if found else self.client.create_experiment(self.name, location, tags)

    @wrap_store_errors
    def record_cost(self, cost: MeasuredCost) -> None:
        """A run of kind ``cost``: settings as parameters, figures as metrics, every raw value in its artifact."""
        from mlflow.entities import Metric, Param

        if self.name == COSTS_EXPERIMENT:
            self._create_experiment("costs", "What variants cost, measured by `harness bench`.")
        else:
            self._create_experiment("experiment", "Measured by `harness bench`; its trials did not run yet.")
        assert self.experiment_id is not None
        now = int(time.time() * 1000)
        name = f"{cost.label}, {cost.setting.device}, batch {cost.batch}, {cost.setting.precision}"
        tags = _variant_tags(cost.variant) | {"measured": cost.key}
        if cost.busy:
            tags[NOTE] = f"Contended: {cost.busy}."
        parent = next((run for run in self.runs("variant") if run.data.tags["variant"] == cost.variant.name), None)
        if parent is not None:
            tags["mlflow.parentRunId"] = parent.info.run_id
        run_id = self._create(COST, name, tags)
        params = {**cost.setting.model_dump(mode="json"), **cost.conditions, "batch": cost.batch}
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, now, 0) for key, value in summarise_cost(cost).items()],
            params=[Param(key, str(value)) for key, value in params.items()],
        )
        self.client.log_text(run_id, cost.model_dump_json(exclude_defaults=True), COST_FILE)
        self.client.set_terminated(run_id, "FINISHED")

    @wrap_store_errors
    def write_lease(self, content: str) -> None:
        """Put another lease in its place."""
        assert self.experiment_id is not None
        self.client.set_experiment_tag(self.experiment_id, LOCK, content)

    @wrap_store_errors
    def prepare(self, study: ResolvedExperiment, storage: str = "", whole: bool = True) -> None:
        """Create what is missing of the experiment, its report run and a run per variant; keep the study.

        Args:
            storage: Where the checkpoints of this run are.
            whole: Whether it is a run of the experiment. Of one trial alone the study that is kept stays: somebody may
                have looked at the record since.
        """
        self.create(study)
        assert self.experiment_id is not None
        self.client.set_experiment_tag(self.experiment_id, STORAGE, storage)
        self.refresh()
        if not self.runs(REPORT):
            self._create(REPORT, REPORT, {})
        if whole:
            self.keep(study)
        known = self._variant_runs()
        for variant in study.compared_variants:
            if _identity(study, variant) not in known:
                self._create_variant(study, variant)
        self.refresh()

    @wrap_store_errors
    def keep(self, study: ResolvedExperiment) -> None:
        """Put the study in place of the one that was kept: another run, or one more look at it."""
        self.client.log_text(self.runs(REPORT)[-1].info.run_id, study.to_record_json(), STUDY_FILE)

    def _variant_runs(self) -> dict[str, Run]:
        """By the variant's identity; the newest where there are several."""
        return {run.data.tags["identity"]: run for run in self.runs("variant")}

    def _create_variant(self, study: ResolvedExperiment, variant: AnyVariant) -> str:
        from mlflow.entities import Param

        tags = _variant_tags(variant) | {
            "dataset": study.data.name,
            "identity": _identity(study, variant),
            "mlflow.runColor": _colour(study, variant),
            NOTE: describe_variant_run(variant, study.data.name),
        }
        run_id = self._create("variant", variant.name, tags)
        params = flatten_params(variant, "variant.") | flatten_params(_one_of(study, variant).recipe, "recipe.")
        self.client.log_batch(run_id, params=[Param(key, value) for key, value in params.items()])
        self.client.log_inputs(run_id, datasets=[build_dataset_input(study.data.name, study.data.fingerprint)])
        return run_id

    @wrap_store_errors
    def create_trial(self, study: ResolvedExperiment, trial: Trial) -> str:
        """A run for a trial, nested under its variant, waiting to be started.

        A search's trials lie under the variant that they search for, folded away, and are told apart by their kind.
        """
        kind = SEARCH if study.purpose_of(trial) == "search" else TRIAL
        variant = trial.variant
        if kind == SEARCH:
            variant = next(v for v in study.variants if v.identity() == trial.variant.identity())
        parent = self._variant_runs()[_identity(study, variant)].info.run_id
        tags = _variant_tags(variant) | {
            "trial": trial.id,
            "seed": str(trial.seed),
            "dataset": trial.data.name,
            "mlflow.parentRunId": parent,
            NOTE: describe_trial_run(trial),
        }
        run_id = self._create(kind, trial.label, tags)
        self.client.update_run(run_id, status="SCHEDULED")
        return run_id

    def _create(self, kind: str, name: str, tags: dict[str, str]) -> str:
        assert self.experiment_id is not None
        run = self.client.create_run(
            self.experiment_id, int(time.time() * 1000), tags={KIND: kind, **tags}, run_name=name
        )
        if self._runs is not None:
            self._runs[run.info.run_id] = run
            self._kinds.setdefault(kind, []).append(run)
            self._trials = None
        return str(run.info.run_id)

    @wrap_store_errors
    def publish(self, run_id: str, history: History) -> None:
        """Record a history that its own trial could not record; one that is done ends the run."""
        publisher = HistoryPublisher(self.client, run_id, training=False)
        publisher.finish(history) if history.done else publisher.send(history)

    @wrap_store_errors
    def supersede(self, trials: Iterable[str], reason: str) -> None:
        """Take those trials' runs out of the record by a tag, in every experiment of the store; nothing is deleted."""
        wanted = set(trials)
        for run in self._search([experiment.experiment_id for experiment in list_experiments(self.client)]):
            if run.data.tags.get("trial") in wanted and SUPERSEDED not in run.data.tags:
                self.client.set_tag(run.info.run_id, SUPERSEDED, reason)
                if run.info.status in UNENDED:
                    self.client.set_terminated(run.info.run_id, "KILLED")
        self.refresh()

    @wrap_store_errors
    def fail(self, run_id: str, message: str, trace: str) -> None:
        """Mark a trial's run as failed, with the traceback as an artifact."""
        self.client.log_text(run_id, trace, TRACEBACK)
        self.client.set_tag(run_id, "error", message[:500])
        self.client.set_terminated(run_id, "FAILED")

    @wrap_store_errors
    def stop(self, run_id: str, reason: str) -> None:
        """Say of a trial's run that nobody trains it at present; the next ``harness run`` goes on with it."""
        self.client.set_tag(run_id, "stopped", reason)
        self.client.set_terminated(run_id, "KILLED")

    @wrap_store_errors
    def note_end(self, reason: str) -> None:
        """Say on the run ``report`` how the last ``harness run`` came to its end; its report ends it better."""
        report = self.runs(REPORT)[-1].info
        self.client.set_tag(report.run_id, "ended", reason)
        if report.status in UNENDED:
            self.client.set_terminated(report.run_id, "KILLED")

    @wrap_store_errors
    def summarise(self, study: ResolvedExperiment, variant: AnyVariant, histories: Sequence[History]) -> None:
        """Put the means over a variant's seeds on its run, which the UI compares.

        MLflow never forgets a metric, so where seeds were added a fresh run takes the place of the old one.
        """
        from mlflow.entities import Metric

        current = self._variant_runs()[_identity(study, variant)]
        content = digest(sorted(history.model_dump_json() for history in histories))
        if current.data.tags.get("trials") == content:
            return
        run_id = current.info.run_id
        if "trials" in current.data.tags:
            run_id = self._create_variant(study, variant)
            for child in [*self.runs(TRIAL), *self.runs(SEARCH), *self.runs(COST)]:
                if child.data.tags.get("mlflow.parentRunId") == current.info.run_id:
                    self.client.set_tag(child.info.run_id, "mlflow.parentRunId", run_id)
            self.client.delete_run(current.info.run_id)
        metrics = [Metric(key, value, at, step) for key, value, at, step in compute_seed_means(histories)]
        for start in range(0, len(metrics), 1000):
            self.client.log_batch(run_id, metrics=metrics[start : start + 1000])
        self.client.set_tag(run_id, "trials", content)
        self.client.set_tag(run_id, "seeds", " ".join(str(history.trial.seed) for history in histories))
        complete = len(histories) == len(study.experiment.seeds)
        self.client.set_terminated(run_id, "FINISHED" if complete else "KILLED")

    @wrap_store_errors
    def attach_report(self, directory: Path, headline: str) -> None:
        """Put a report's files on the run ``report``, and its verdict on top of the experiment's page."""
        assert self.experiment_id is not None
        run_id = self.runs(REPORT)[-1].info.run_id
        self.client.log_artifacts(run_id, str(directory))
        self.client.set_tag(run_id, NOTE, describe_report_run(self.name, headline))
        self.client.set_terminated(run_id, "FINISHED")
        self.client.set_experiment_tag(self.experiment_id, NOTE, headline)

    @wrap_store_errors
    def describe(self, study: ResolvedExperiment, described: Mapping[str, VariantDescription]) -> None:
        """Put what a report says of each variant on its run; a number that stands there already is not sent again.

        Args:
            described: By the variant's name.
        """
        from mlflow.entities import Metric, RunTag

        known, now = self._variant_runs(), int(time.time() * 1000)
        for variant in study.variants:
            run, said = known.get(_identity(study, variant)), described.get(variant.name)
            if run is None or said is None:
                continue
            new = {key: value for key, value in said.metrics.items() if run.data.metrics.get(key) != value}
            metrics = [Metric(key, value, now, 0) for key, value in new.items()]
            self.client.log_batch(run.info.run_id, metrics=metrics, tags=[RunTag(NOTE, said.text)])


def _identity(study: ResolvedExperiment, variant: AnyVariant) -> str:
    """A variant under one data set and recipe: what its seeds share."""
    trial = _one_of(study, variant)
    return digest({key: value for key, value in trial.identity().items() if key != "seed"})


def _one_of(study: ResolvedExperiment, variant: AnyVariant) -> Trial:
    return study.first_trial_by_variant[variant.name]


def _colour(study: ResolvedExperiment, variant: AnyVariant) -> str:
    """A colour for the UI's charts: plain networks orange, residual ones blue, others violet, the darker the deeper.

    MLflow would draw one from the run's id, and give several variants the same.
    """
    alike = [v for v in study.compared_variants if (v.is_plain, v.kind) == (variant.is_plain, variant.kind)]
    group = sorted((v.depth, v.name) for v in alike)
    place = (group.index((variant.depth, variant.name)) + 1) / len(group)
    light, dark = ((251, 196, 152), (166, 60, 0)) if variant.is_plain else ((158, 202, 233), (0, 66, 128))
    if isinstance(variant, ExternalNetwork):
        light, dark = (199, 171, 226), (84, 22, 140)
    return "#" + "".join(f"{round(a + (b - a) * place):02x}" for a, b in zip(light, dark, strict=True))


def _variant_tags(variant: AnyVariant) -> dict[str, str]:
    return {
        "variant": variant.name,
        "family": variant.family,
        "depth": str(variant.depth),
        "shortcut": variant.shortcut,
    }
