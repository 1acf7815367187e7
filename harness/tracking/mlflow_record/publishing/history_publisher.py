"""Sending one trial's history to the trial's run in MLflow, so that every step may be repeated.

Only epochs that a checkpoint holds are sent, with their original timestamps. After a restart the publisher reads which
epochs the run already holds and sends the others. Where the store's reply is lost and an epoch is sent twice, MLflow
stores one (key, value, timestamp, step) once. A run becomes FINISHED only after it holds the whole history.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import HISTORY_FILE, History
from harness.tracking.metrics import FIRST_GRADIENT, ONLINE_TRAINING_ERROR
from harness.tracking.mlflow_record.artifacts import RunArtifacts
from harness.tracking.mlflow_record.descriptions import describe_trial_run
from harness.tracking.mlflow_record.publishing.entities import (
    METRICS_PER_BATCH,
    PARAMS_PER_BATCH,
    build_dataset_input,
    build_metrics,
    build_params,
    flatten_params,
)
from harness.tracking.mlflow_record.tags import ERROR_TAG, INTERRUPTED_TAG, MEMORY_TAG, NOTE_TAG, OUTCOME_TAG
from harness.tracking.mlflow_record.trial_runs import RUN_STATUSES, format_memory
from harness.tracking.outcome_names import outcome_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

KEYS_OF_EVERY_EPOCH = (FIRST_GRADIENT, ONLINE_TRAINING_ERROR)
"""Metrics that every epoch has; epoch 0, which is measured before the first update, has only the first."""


class HistoryPublisher:
    """Sends one history to one MLflow run; every call may be repeated.

    Args:
        client: A client of the store.
        run_id: The run, which exists already.
        is_training: Whether the trial is trained by this process; the run's status then becomes RUNNING.
    """

    def __init__(self, client: MlflowClient, run_id: str, is_training: bool = True) -> None:
        self.client, self.run_id, self.is_training = client, run_id, is_training
        self.stored_epochs: set[int] = set()
        self.is_run_prepared = False

    def send(self, history: History) -> None:
        """Send parameters and data set once, then the epochs that the run does not hold yet.

        An epoch that was trained again, because its checkpoint was damaged, has the same results and another time.
        It is not sent: the run keeps the first one.
        """
        if not self.is_run_prepared:
            self._prepare_run(history)
        # Each batch is stored whole or not at all, so an epoch is never split over two batches.
        batch: list[Metric] = []
        epochs: set[int] = set()
        for epoch in history.epochs:
            if epoch.epoch in self.stored_epochs:
                continue
            metrics = list(build_metrics(epoch.epoch, epoch.at, epoch.metrics))
            if len(batch) + len(metrics) > METRICS_PER_BATCH:
                self._send_batch(batch, epochs)
                batch, epochs = [], set()
            batch += metrics
            epochs.add(epoch.epoch)
        self._send_batch(batch, epochs)

    def finish(self, history: History) -> None:
        """Send the rest of a complete history, upload it as artifacts, describe the run and end it as FINISHED."""
        from mlflow.entities import RunTag

        self.send(history)
        artifacts = RunArtifacts(self.client, self.run_id)
        artifacts.write_text(HISTORY_FILE, history.model_dump_json())
        trial = history.trial.model_dump(mode="json")
        artifacts.write_text("trial.json", json.dumps(trial, indent=2))
        artifacts.write_text("environment.json", json.dumps(history.provenance, indent=2))
        if history.layers:
            # As metrics they would be thousands, and the UI would make a chart of each.
            layers = {epoch: values.model_dump(mode="json") for epoch, values in history.layers.items()}
            artifacts.write_text("layers.json", json.dumps(layers))
        tags = {OUTCOME_TAG: outcome_name(history.outcome), NOTE_TAG: describe_trial_run(history.trial, history)}
        if all(history.memory):
            tags[MEMORY_TAG] = format_memory(*history.memory)
        self.client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        # The end of the training, also where the history is sent much later.
        self.client.set_terminated(self.run_id, RUN_STATUSES[history.outcome], history.ended or None)

    def _prepare_run(self, history: History) -> None:
        """Read which epochs the run holds; send the status, parameters, static costs and the data set."""
        run = self.client.get_run(self.run_id)
        self.stored_epochs = self._read_stored_epochs(history, run.data.metrics)
        if run.info.status == RUN_STATUSES[TrialStatus.FINISHED] and not history.is_complete:
            raise RuntimeError("this run is finished already; an older attempt cannot add to it")
        if self.is_training:
            self.client.update_run(self.run_id, status=RUN_STATUSES[TrialStatus.RUNNING])
        if self.is_training or history.is_complete:
            for tag in {INTERRUPTED_TAG, ERROR_TAG} & run.data.tags.keys():
                # An earlier attempt left it.
                self._delete_tag(tag)
        params = build_params(flatten_params(history.trial))
        # Every attempt sends them before its first epoch. Those that the run holds already are not sent again.
        costs = {
            key: value
            for key, value in history.costs.items()
            if not isinstance(value, str) and key not in run.data.metrics
        }
        at = history.started or run.info.start_time
        for start in range(0, len(params), PARAMS_PER_BATCH):
            self.client.log_batch(
                self.run_id,
                params=params[start : start + PARAMS_PER_BATCH],
                metrics=list(build_metrics(0, at, costs)) if start == 0 else [],
            )
        data = history.trial.data
        self.client.log_inputs(self.run_id, datasets=[build_dataset_input(data.name, data.fingerprint)])
        self.is_run_prepared = True

    def _read_stored_epochs(self, history: History, stored_keys: Collection[str]) -> set[int]:
        """Return the epochs that the run holds from earlier processes, found by one metric of each epoch.

        They include epochs that ``history`` does not have: where a checkpoint was lost, those are trained again, and
        the first checkpoint of a new attempt may lie within the first epoch.
        """
        keys = {*KEYS_OF_EVERY_EPOCH, *(min(epoch.metrics) for epoch in history.epochs)} & set(stored_keys)
        return {row.step for key in keys for row in self.client.get_metric_history(self.run_id, key)}

    def _delete_tag(self, tag: str) -> None:
        """Delete a tag of the run, unless an earlier try has deleted it."""
        try:
            self.client.delete_tag(self.run_id, tag)
        except Exception:
            if tag in self.client.get_run(self.run_id).data.tags:
                raise

    def _send_batch(self, batch: list[Metric], epochs: set[int]) -> None:
        if batch:
            self.client.log_batch(self.run_id, metrics=batch)
            self.stored_epochs |= epochs
