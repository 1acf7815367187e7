"""The outbox: a trial's history to its MLflow run, in the background, as often as it takes.

It sends only what a checkpoint has committed, with the original timestamps. After a restart it asks which epochs
are there already and sends the others; where an answer was lost and it sends twice, MLflow stores one (key, value,
timestamp, step) once. A run is FINISHED only after all of it is there.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.specs.identity import Spec
from harness.tracking.history import MEMBER, MEMORY, History
from harness.tracking.mlflow_record.client import connect, redacted_message
from harness.tracking.mlflow_record.descriptions import NOTE, trial_note
from harness.tracking.outcome_names import outcome_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, Param

METRICS_PER_BATCH = 1000
PARAMS_PER_BATCH = 100
OF_EVERY_EPOCH = ("grad/first", "train/error")
"""The first also of epoch 0, which is measured before the first update."""
FIRST_WAIT, LONGEST_WAIT, CLOSING_WAIT = 0.5, 30.0, 2.0


def flat_params(spec: Spec, prefix: str = "") -> dict[str, str]:
    """``recipe.lr: 0.05``-like parameters of a spec, the fields of specs inside it in their turn."""
    params: dict[str, str] = {}
    for field in type(spec).model_fields:
        value = getattr(spec, field)
        if isinstance(value, Spec):
            params |= flat_params(value, f"{prefix}{field}.")
        elif value is not None and field != "root":
            shown = "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
            params[f"{prefix}{field}"] = shown
    return params


class Publisher:
    """Sends one history to one MLflow run; every call may be repeated.

    Args:
        client: Of the store.
        run_id: The run, which is there.
        training: Whether the trial is being trained now, as the run's status then says.
    """

    def __init__(self, client: MlflowClient, run_id: str, training: bool = True) -> None:
        self.client, self.run_id, self.training = client, run_id, training
        self.stored: set[int] = set()
        self.introduced = False

    def send(self, history: History) -> None:
        """Parameters and data set once, then the epochs that are not stored yet.

        An epoch that was trained again, since its checkpoint was damaged, has the same results and another time:
        the first one stays.
        """
        if not self.introduced:
            self._introduce(history)
        # An epoch is never split over two batches, each of which is stored whole or not at all.
        batch: list[Metric] = []
        epochs: set[int] = set()
        for epoch in history.epochs:
            if epoch.epoch in self.stored:
                continue
            metrics = list(timed(epoch.epoch, epoch.at, epoch.metrics))
            if len(batch) + len(metrics) > METRICS_PER_BATCH:
                self._log(batch, epochs)
                batch, epochs = [], set()
            batch += metrics
            epochs.add(epoch.epoch)
        self._log(batch, epochs)

    def _log(self, batch: list[Metric], epochs: set[int]) -> None:
        if batch:
            self.client.log_batch(self.run_id, metrics=batch)
            self.stored |= epochs

    def _stored(self, history: History, known: Collection[str]) -> set[int]:
        """Epochs that the run holds already, from a process that is gone: one metric of each tells.

        Also those that ``history`` does not have: where a checkpoint was lost, they are trained again, and the first
        one of a new attempt may lie within the first epoch.
        """
        telling = {*OF_EVERY_EPOCH, *(min(epoch.metrics) for epoch in history.epochs)} & set(known)
        return {row.step for key in telling for row in self.client.get_metric_history(self.run_id, key)}

    def finish(self, history: History) -> None:
        """Send what is left, put the history and its parts beside it as artifacts, describe the run and end it."""
        from mlflow.entities import RunTag

        self.send(history)
        self.client.log_text(self.run_id, history.model_dump_json(), MEMBER)
        trial = history.trial.model_dump(mode="json")
        self.client.log_text(self.run_id, json.dumps(trial, indent=2), "trial.json")
        self.client.log_text(self.run_id, json.dumps(history.provenance, indent=2), "environment.json")
        if history.layers:
            # Not as metrics: they would be thousands, of which the UI makes a chart each.
            layers = {epoch: values.model_dump(mode="json") for epoch, values in history.layers.items()}
            self.client.log_text(self.run_id, json.dumps(layers), "layers.json")
        tags = {"outcome": outcome_name(history.outcome), NOTE: trial_note(history.trial, history)}
        if all(history.memory):
            tags[MEMORY] = "{} of {}".format(*history.memory)
        self.client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        self.client.set_terminated(self.run_id, "FINISHED")

    def _introduce(self, history: History) -> None:
        run = self.client.get_run(self.run_id)
        self.stored = self._stored(history, run.data.metrics)
        if run.info.status == "FINISHED" and not history.done:
            raise RuntimeError("this run is finished already; what an older attempt sends is not wanted")
        if self.training:
            self.client.update_run(self.run_id, status="RUNNING")
        if self.training or history.done:
            for tag in {"stopped", "error"} & run.data.tags.keys():
                # Of an attempt before this one.
                self.client.delete_tag(self.run_id, tag)
        params = _params(flat_params(history.trial))
        at = history.epochs[0].at if history.epochs else int(time.time() * 1000)
        costs = {key: value for key, value in history.costs.items() if not isinstance(value, str)}
        for start in range(0, len(params), PARAMS_PER_BATCH):
            self.client.log_batch(
                self.run_id,
                params=params[start : start + PARAMS_PER_BATCH],
                metrics=list(timed(0, at, costs)) if start == 0 else [],
            )
        data = history.trial.data
        self.client.log_inputs(self.run_id, datasets=[dataset_input(data.name, data.fingerprint)])
        self.introduced = True


def _params(params: dict[str, str]) -> list[Param]:
    from mlflow.entities import Param

    return [Param(key, value[:6000]) for key, value in params.items()]


def timed(step: int, at: int, metrics: Mapping[str, Any]) -> Iterator[Metric]:
    """Metrics of one step as MLflow takes them, a missing value as NaN."""
    from mlflow.entities import Metric

    for key, value in metrics.items():
        yield Metric(key, float("nan") if value is None else float(value), at, step)


def dataset_input(name: str, fingerprint: str | None) -> DatasetInput:
    """A data set, as MLflow lists what a run used; the fingerprint is of its content."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name, fingerprint or "unknown", "local", json.dumps({"name": name}))
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


class Outbox:
    """Publishes in a thread of its own, off the training clock; only the newest history is held.

    Args:
        uri: The tracking store.
        run_id: The trial's run, which the driver has created.
    """

    def __init__(self, uri: str, run_id: str) -> None:
        self.uri, self.run_id = uri, run_id
        self._newest: History | None = None
        self._wake = threading.Condition()
        self._closing = self._abandoned = False
        self._finished = threading.Event()
        self.last_error = ""
        self._thread = threading.Thread(target=self._work, name=f"outbox {run_id}", daemon=True)
        self._thread.start()

    def publish(self, history: History) -> None:
        """Hand over a committed history; returns at once."""
        with self._wake:
            self._newest = history
            self._wake.notify()

    def close(self, seconds: float) -> bool:
        """Wait until all is sent and, where the trial is done, its run is ended; then give up.

        Returns:
            False where the store did not take it in time; the journal still holds it, and the driver or the next
            ``harness run`` publishes it.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        sent = self._finished.wait(seconds)
        with self._wake:
            self._abandoned = True
            self._wake.notify()
        return sent

    def _work(self) -> None:
        publisher: Publisher | None = None
        sent: History | None = None
        wait = FIRST_WAIT
        while True:
            with self._wake:
                while self._newest is sent and not self._closing:
                    self._wake.wait()
                history = self._newest
                if history is sent:
                    self._finished.set()
                    return
            assert history is not None
            try:
                publisher = publisher or Publisher(connect(self.uri), self.run_id)
                publisher.finish(history) if history.done else publisher.send(history)
                sent, wait = history, FIRST_WAIT
            except Exception as error:
                # Whatever the store's trouble is, the journal keeps the history; try again, more and more slowly.
                self.last_error = redacted_message(error)
                if self._pause(wait):
                    return
                wait = min(2 * wait, LONGEST_WAIT)

    def _pause(self, seconds: float) -> bool:
        """Wait before trying again, less where the trial waits for its end; whether it was given up meanwhile."""
        with self._wake:
            if not self._closing:
                self._wake.wait_for(lambda: self._closing, seconds)
                return self._abandoned
            return self._wake.wait_for(lambda: self._abandoned, min(seconds, CLOSING_WAIT))
