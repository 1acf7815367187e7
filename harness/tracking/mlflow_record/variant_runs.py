"""The run of each variant in MLflow: means over the variant's seeds, and a report's description of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.specs import ExternalNetwork, ResolvedExperiment
from harness.specs.identity import digest
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.history import History
from harness.tracking.mlflow_record.descriptions import VariantDescription, describe_variant_run
from harness.tracking.mlflow_record.experiment import MlflowExperiment
from harness.tracking.mlflow_record.publishing.entities import (
    METRICS_PER_BATCH,
    build_dataset_input,
    build_params,
    flatten_params,
)
from harness.tracking.mlflow_record.seed_means import compute_seed_means
from harness.tracking.mlflow_record.tags import (
    CONTENT_TAG,
    DATASET_TAG,
    IDENTITY_TAG,
    NOTE_TAG,
    PARENT_TAG,
    SEEDS_TAG,
    VARIANT,
    VARIANT_TAG,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

PLAIN_COLOURS = ((251, 196, 152), (166, 60, 0))
"""Red, green and blue of the shallowest and of the deepest plain network: orange."""
RESIDUAL_COLOURS = ((158, 202, 233), (0, 66, 128))
"""The colours of the shallowest and of the deepest residual network: blue."""
EXTERNAL_COLOURS = ((199, 171, 226), (84, 22, 140))
"""The colours of the shallowest and of the deepest external network: violet."""


class VariantRuns:
    """The runs of an experiment's variants.

    Args:
        experiment: The experiment that they belong to.
    """

    def __init__(self, experiment: MlflowExperiment) -> None:
        self.experiment = experiment

    def find(self, study: ResolvedExperiment, variant: AnyVariant) -> Run:
        """Return a variant's run, the newest where there are several."""
        return self._runs_by_identity()[_identity(study, variant)]

    def find_by_name(self, name: str) -> Run | None:
        """Return the oldest run of the variant of this name; None where there is none."""
        return next((run for run in self.experiment.list_runs(VARIANT) if run.data.tags[VARIANT_TAG] == name), None)

    def _runs_by_identity(self) -> dict[str, Run]:
        return {run.data.tags[IDENTITY_TAG]: run for run in self.experiment.list_runs(VARIANT)}

    def create_missing(self, study: ResolvedExperiment) -> None:
        """Create a run for each compared variant that has none, and complete one whose creation was cut off."""
        existing = self._runs_by_identity()
        for variant in study.compared_variants:
            run = existing.get(_identity(study, variant))
            if run is None:
                self._create(study, variant)
            elif not (run.data.params and run.inputs.dataset_inputs):
                self._send_parameters(study, variant, run.info.run_id)

    def _create(self, study: ResolvedExperiment, variant: AnyVariant, start: int = 0, other_than: str = "") -> str:
        """Create a variant's run and return its id.

        Args:
            start: When it starts, in milliseconds since 1970; 0 for now.
            other_than: Id of the run that it replaces.
        """
        data = study.first_trial_by_variant[variant.name].data
        tags = variant_tags(variant) | {
            DATASET_TAG: data.name,
            IDENTITY_TAG: _identity(study, variant),
            "mlflow.runColor": _choose_colour(study, variant),
            NOTE_TAG: describe_variant_run(variant, data.name),
        }
        run_id = self.experiment.create_run(self.experiment.new_run(VARIANT, variant.name, tags), start, other_than)
        self._send_parameters(study, variant, run_id)
        return run_id

    def _send_parameters(self, study: ResolvedExperiment, variant: AnyVariant, run_id: str) -> None:
        """Send the parameters and the data set of a variant's run. Can be repeated."""
        trial = study.first_trial_by_variant[variant.name]
        params = flatten_params(variant, "variant.") | flatten_params(trial.recipe, "recipe.")
        client = self.experiment.client
        client.log_batch(run_id, params=build_params(params))
        client.log_inputs(run_id, datasets=[build_dataset_input(trial.data.name, trial.data.fingerprint)])

    def write_means(self, study: ResolvedExperiment, variant: AnyVariant, histories: Sequence[History]) -> None:
        """Write the means over a variant's seeds to its run.

        MLflow never forgets a metric. Where the run holds the means of other histories, as after more seeds, a new
        run replaces it. So does one that starts after its trials, as where another experiment has trained them.
        """
        from mlflow.entities import Metric

        client = self.experiment.client
        # The cached run may be older than the last means.
        current = client.get_run(self.find(study, variant).info.run_id)
        content = digest(sorted(history.model_dump_json() for history in histories))
        if current.data.tags.get(CONTENT_TAG) == content:
            return
        run_id = current.info.run_id
        first_start = min(history.started for history in histories)
        is_partial = current.data.tags.get(CONTENT_TAG) == _partly(content)
        has_other_means = bool(current.data.tags.get(CONTENT_TAG) or current.data.metrics) and not is_partial
        if has_other_means or first_start < current.info.start_time:
            run_id = self._replace(study, variant, current, first_start)
        # A process that is killed from here on leaves a part of these means, which no other means may join.
        client.set_tag(run_id, CONTENT_TAG, _partly(content))
        metrics = [Metric(key, value, at, step) for key, value, at, step in compute_seed_means(histories)]
        for start in range(0, len(metrics), METRICS_PER_BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + METRICS_PER_BATCH])
        client.set_tag(run_id, CONTENT_TAG, content)
        client.set_tag(run_id, SEEDS_TAG, " ".join(str(history.trial.seed) for history in histories))
        has_all_seeds = len(histories) == len(study.experiment.seeds)
        last_end = max(history.ended for history in histories)
        client.set_terminated(run_id, "FINISHED" if has_all_seeds else "KILLED", last_end or None)

    def _replace(self, study: ResolvedExperiment, variant: AnyVariant, old: Run, start: int) -> str:
        """Create a new run for a variant, nest the children of the old run under it and delete the old run."""
        client, run_id = self.experiment.client, self._create(study, variant, start, old.info.run_id)
        for child in self.experiment.read_children(old.info.run_id):
            client.set_tag(child.info.run_id, PARENT_TAG, run_id)
        self.experiment.delete_run(old.info.run_id)
        return run_id

    def describe(self, study: ResolvedExperiment, descriptions: Mapping[str, VariantDescription]) -> None:
        """Write a report's description of each variant, and those of its numbers that the run does not hold yet."""
        from mlflow.entities import Metric, RunTag

        runs, now = self._runs_by_identity(), int(time.time() * 1000)
        for variant in study.variants:
            run, description = runs.get(_identity(study, variant)), descriptions.get(variant.name)
            if run is None or description is None:
                continue
            stored = run.data.metrics
            metrics = [
                Metric(key, value, now, 0) for key, value in description.metrics.items() if stored.get(key) != value
            ]
            tags = [RunTag(NOTE_TAG, description.text)]
            self.experiment.client.log_batch(run.info.run_id, metrics=metrics, tags=tags)


def _partly(content: str) -> str:
    """Return the value of the tag :data:`CONTENT_TAG` while the means of these histories are being written."""
    return f"partly {content}"


def variant_tags(variant: AnyVariant) -> dict[str, str]:
    """Return the tags by which MLflow's UI can filter and group the runs of a variant."""
    return {
        VARIANT_TAG: variant.name,
        "family": variant.family,
        "depth": str(variant.depth),
        "shortcut": variant.shortcut,
    }


def _identity(study: ResolvedExperiment, variant: AnyVariant) -> str:
    """Return the hash of a variant with its data set and recipe: what its seeds have in common."""
    trial = study.first_trial_by_variant[variant.name]
    return digest({key: value for key, value in trial.identity().items() if key != "seed"})


def _choose_colour(study: ResolvedExperiment, variant: AnyVariant) -> str:
    """Return a variant's colour in the UI's charts: the hue shows the kind of network, and deeper ones are darker.

    Without it MLflow derives a colour from the run's id, and several variants get the same.
    """
    same_kind = [v for v in study.compared_variants if (v.is_plain, v.kind) == (variant.is_plain, variant.kind)]
    by_depth = sorted((v.depth, v.name) for v in same_kind)
    darkness = (by_depth.index((variant.depth, variant.name)) + 1) / len(by_depth)
    light, dark = PLAIN_COLOURS if variant.is_plain else RESIDUAL_COLOURS
    if isinstance(variant, ExternalNetwork):
        light, dark = EXTERNAL_COLOURS
    return "#" + "".join(f"{round(a + (b - a) * darkness):02x}" for a, b in zip(light, dark, strict=True))
