"""The optional outputs of trials in MLflow, models and system metrics, which change no result."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from trial_helpers import SILENT_CONSOLE, results_without_times

from harness.api import Settings, collect, run
from harness.errors import HarnessError
from harness.execution import optional_outputs
from harness.execution.attempts import read_attempts
from harness.execution.optional_outputs import require_optional_outputs
from harness.specs import Execution
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.mlflow_record.tags import MODEL_TAG
from harness.tracking.record import open_checkpoint_folder

LOAD_MODEL = """
import json, sys
import mlflow
import numpy as np
import torch
from harness.data.splits import load_splits
from harness.specs import DataSpec

uri, address, data = sys.argv[1:]
mlflow.set_tracking_uri(uri)
network = mlflow.pytorch.load_model(address)
info = mlflow.models.get_model_info(address)
test = load_splits(DataSpec.model_validate_json(data)).test
scale, shift = (torch.tensor(info.metadata[key]).view(1, -1, 1, 1) for key in ("scale", "shift"))
images = test.images * scale + shift
with torch.inference_mode():
    logits = network(images)
wrong = int((logits.argmax(1) != test.labels).sum())
served = mlflow.pyfunc.load_model(address)
example = np.asarray(served.input_example, dtype=np.float32)
print(json.dumps({
    "network": type(network).__name__,
    "is_training": network.training,
    "error": 100 * wrong / len(test.labels),
    # A smaller batch is rounded differently on some processors.
    "is_served_alike": bool(np.allclose(served.predict(example), logits[: len(example)].numpy(), rtol=1e-4, atol=1e-5)),
    "inputs": info.signature.inputs.to_dict(),
    "outputs": info.signature.outputs.to_dict(),
    "trial": info.metadata["trial"],
}))
"""
UNPICKLABLE_NETWORK = """
import threading
from torch import nn


def make(in_channels, classes):
    net = nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
    net.lock = threading.Lock()
    return net
"""


@pytest.fixture
def make_settings(tmp_path):
    def make(home="home"):
        return Settings(home=tmp_path / home, launcher="inline", reports=tmp_path / "reports")

    return make


@pytest.fixture
def make_study(quick_study):
    """Return the quick experiment with one seed of its four variants, and optional outputs."""

    def make(recipe=None, **execution):
        return quick_study(
            seeds=[100], recipe={"epochs": 3, "batch": 32, "lr": 0.05, **(recipe or {})}, execution=execution
        )

    return make


def list_models(record):
    return list(record.client.search_logged_models([record.experiment_id]))


def read_notes(settings, trial):
    return read_attempts(open_checkpoint_folder(settings) / trial.id)[-1].notes


def test_optional_outputs_change_no_result_and_are_recorded_only_on_request(make_study, make_settings, monkeypatch):
    """Results are equal bit for bit."""
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.01")
    bare, full = make_settings("bare"), make_settings("full")
    for study, settings in ((make_study(), bare), (make_study(log_model=True, system_metrics=True), full)):
        assert run(study, settings, SILENT_CONSOLE).failed == {}
        assert [note for trial in study.trials for note in read_notes(settings, trial)] == []
    assert results_without_times(bare).equals(results_without_times(full))
    bare_record, record = collect("quick", bare)[1], collect("quick", full)[1]
    trials, bare_trials = record.list_runs("trial"), bare_record.list_runs("trial")
    assert {trial.info.status for trial in trials} == {"FINISHED"}
    assert all(0 <= trial.data.metrics["system/cpu_utilization_percentage"] <= 100 for trial in trials)
    assert not any(key.startswith("system/") for trial in bare_trials for key in trial.data.metrics)
    models = {(model.source_run_id, model.status.name) for model in list_models(record)}
    assert models == {(trial.info.run_id, "READY") for trial in trials}
    assert list_models(bare_record) == []


@pytest.mark.slow
def test_logged_model_has_its_trial_s_metrics_and_predicts_the_same_in_another_process(make_study, make_settings):
    study, settings = make_study(log_model=True), make_settings()
    run(study, settings, SILENT_CONSOLE)
    results, record = collect("quick", settings)
    for trial in record.list_runs("trial")[:2]:
        data = study.trials[0].data.model_dump_json()
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        command = [sys.executable, "-c", LOAD_MODEL, record.uri, trial.data.tags[MODEL_TAG], data]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=settings.home, check=False)
        assert done.returncode == 0, done.stderr
        loaded = json.loads(done.stdout)
        final = results.final.set_index("trial").loc[trial.data.tags["trial"]]
        assert loaded == {
            "network": "Network",
            "is_training": False,
            "error": final["test/error"],
            "is_served_alike": True,
            "inputs": loaded["inputs"],
            "outputs": loaded["outputs"],
            "trial": trial.data.tags["trial"],
        }
        assert loaded["inputs"][0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 1, 8, 8]}
        assert loaded["outputs"][0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 10]}
        (model,) = [model for model in list_models(record) if model.source_run_id == trial.info.run_id]
        assert model.name == trial.info.run_name
        # The model has the last error, and the run still has each epoch's error once.
        rows = record.client.get_metric_history(trial.info.run_id, "test/error")
        assert [row.step for row in rows] == [1, 2, 3]
        assert {metric.key: metric.value for metric in model.metrics}["test/error"] == rows[-1].value


def test_diverged_trial_logs_no_model(make_study, make_settings):
    study, settings = make_study({"lr": 1e30}, log_model=True), make_settings()
    run(study, settings, SILENT_CONSOLE)
    results, record = collect("quick", settings)
    assert set(results.final["outcome"]) == {TrialStatus.DIVERGED}
    assert list_models(record) == []


def test_network_that_cannot_be_pickled_is_a_note_and_its_trial_is_recorded(
    quick_study, make_settings, tmp_path, monkeypatch
):
    (tmp_path / "locked.py").write_text(UNPICKLABLE_NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    variants = [{"kind": "python", "factory": "locked:make"}]
    study = quick_study(seeds=[100], variants=variants, contrasts=None, execution={"log_model": True})
    settings = make_settings()
    assert run(study, settings, SILENT_CONSOLE).failed == {}
    (note,) = read_notes(settings, study.trials[0])
    assert note.startswith("its model could not be logged: TypeError: ") and "lock" in note
    results, record = collect("quick", settings)
    assert results.missing == []
    assert [model.status.name for model in list_models(record)] == ["FAILED"]
    assert MODEL_TAG not in record.list_runs("trial")[0].data.tags


def test_sampler_that_cannot_start_is_a_note_and_its_trial_is_recorded(make_study, make_settings, monkeypatch):
    def fail(*arguments):
        raise OSError("no counters here")

    monkeypatch.setattr(optional_outputs, "start_sampling", fail)
    study, settings = make_study(system_metrics=True), make_settings()
    assert run(study, settings, SILENT_CONSOLE).failed == {}
    (note,) = read_notes(settings, study.trials[0])
    assert note.startswith("system metrics are not sampled: ") and "no counters here" in note


@pytest.mark.parametrize("field", ["log_model", "system_metrics"])
def test_optional_output_without_a_store_is_refused(field):
    with pytest.raises(HarnessError, match="--tracking-uri none") as refused:
        require_optional_outputs(Execution(**{field: True}), has_store=False)
    assert refused.value.where == f"execution.{field}"
    require_optional_outputs(Execution(**{field: True}), has_store=True)
    require_optional_outputs(Execution(), has_store=False)


@pytest.mark.slow
def test_optional_outputs_of_workers_on_ray_are_recorded(make_study, make_settings, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.01")
    settings = replace(make_settings(), launcher="ray")
    assert run(make_study(log_model=True, system_metrics=True), settings, SILENT_CONSOLE).failed == {}
    _, record = collect("quick", settings)
    assert all("system/cpu_utilization_percentage" in trial.data.metrics for trial in record.list_runs("trial"))
    assert [model.status.name for model in list_models(record)] == ["READY"] * 4
