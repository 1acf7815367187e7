"""What a trial leaves in MLflow where it was asked for, models and system metrics; and that it changes no result."""

import importlib
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console

from harness.api import Settings, collect, run
from harness.errors import HarnessError
from harness.execution.attempts import read_attempts
from harness.execution.optional_outputs import require_extras
from harness.specs import Execution
from harness.tracking.mlflow_record.reader import MODEL_TAG
from harness.tracking.record import checkpoint_folder

QUIET = Console(file=io.StringIO(), width=140)

LOAD = """
import json, sys
import mlflow
import numpy as np
import torch
from harness.data.batches import load
from harness.specs import DataSpec

uri, address, data = sys.argv[1:]
mlflow.set_tracking_uri(uri)
network = mlflow.pytorch.load_model(address)
told = mlflow.models.get_model_info(address)
test = load(DataSpec.model_validate_json(data)).test
scale, shift = (torch.tensor(told.metadata[key]).view(1, -1, 1, 1) for key in ("scale", "shift"))
images = test.images * scale + shift
with torch.inference_mode():
    logits = network(images)
wrong = int((logits.argmax(1) != test.labels).sum())
served = mlflow.pyfunc.load_model(address)
example = np.asarray(served.input_example, dtype=np.float32)
print(json.dumps({
    "network": type(network).__name__,
    "training": network.training,
    "error": 100 * wrong / len(test.labels),
    "served": bool((served.predict(example) == logits[: len(example)].numpy()).all()),
    "inputs": told.signature.inputs.to_dict(),
    "outputs": told.signature.outputs.to_dict(),
    "trial": told.metadata["trial"],
}))
"""


@pytest.fixture
def settings(tmp_path):
    def make(home="home", uri=None):
        return Settings(home=tmp_path / home, tracking_uri=uri, launcher="inline", reports=tmp_path / "reports")

    return make


@pytest.fixture
def asked(quick_study):
    """One seed of the four variants, with something asked for."""

    def make(recipe=None, **execution):
        return quick_study(
            seeds=[100], recipe={"epochs": 3, "batch": 32, "lr": 0.05, **(recipe or {})}, execution=execution
        )

    return make


@pytest.fixture
def psutil(monkeypatch):
    """psutil as it is installed, else the copy that Ray brings and puts on the path of its workers."""
    if find_spec("psutil") is None:
        import ray

        monkeypatch.syspath_prepend(str(Path(ray.__file__).parent / "thirdparty_files"))
    return importlib.import_module("psutil")


def _untimed(results):
    frame = results.epochs
    return frame.drop(columns=[c for c in frame.columns if c.startswith("time/")] + ["at", "shared"])


def _models(record):
    return list(record.client.search_logged_models([record.experiment_id]))


def test_models_and_samples_change_no_result(asked, settings, psutil, monkeypatch):
    """Bit for bit; and they stand in the record where they were asked for, and nowhere else."""
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.01")
    plain, both = asked(), asked(log_model=True, system_metrics=True)
    assert [trial.id for trial in plain.trials] == [trial.id for trial in both.trials]
    for study, home in ((plain, "plain"), (both, "both")):
        assert run(study, settings(home), QUIET).failed == {}
    (without, bare), (with_both, record) = collect("quick", settings("plain")), collect("quick", settings("both"))
    assert _untimed(without).equals(_untimed(with_both))
    assert [
        a for t in both.trials for attempt in read_attempts(settings("both").folder / t.id) for a in attempt.notes
    ] == []

    trials = record.runs("trial")
    assert {trial.info.status for trial in trials} == {"FINISHED"}
    assert all(0 <= trial.data.metrics["system/cpu_utilization_percentage"] <= 100 for trial in trials)
    assert not any(key.startswith("system/") for trial in bare.runs("trial") for key in trial.data.metrics)
    assert {(model.source_run_id, model.status.name) for model in _models(record)} == {
        (trial.info.run_id, "READY") for trial in trials
    }
    assert _models(bare) == []
    for trial in trials:
        # What is shown beside a model is the run's own, and stands there once.
        rows = record.client.get_metric_history(trial.info.run_id, "test/error")
        assert [row.step for row in rows] == [1, 2, 3]
        (model,) = [model for model in _models(record) if model.source_run_id == trial.info.run_id]
        assert {m.key: m.value for m in model.metrics}["test/error"] == rows[-1].value
        assert model.name == trial.info.run_name


@pytest.mark.slow
def test_a_model_loads_in_another_process_and_predicts_as_its_trial_did(asked, settings):
    study, here = asked(log_model=True), settings()
    run(study, here, QUIET)
    results, record = collect("quick", here)
    for trial in record.runs("trial")[:2]:
        data = study.trials[0].data.model_dump_json()
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        command = [sys.executable, "-c", LOAD, record.uri, trial.data.tags[MODEL_TAG], data]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=here.home, check=False)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        final = results.final.set_index("trial").loc[trial.data.tags["trial"]]
        assert told["error"] == final["test/error"]
        assert (told["network"], told["training"], told["served"]) == ("Network", False, True)
        assert told["trial"] == trial.data.tags["trial"]
        assert told["inputs"][0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 1, 8, 8]}
        assert told["outputs"][0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 10]}


def test_a_diverged_trial_leaves_no_model(asked, settings):
    study, here = asked({"lr": 1e30}, log_model=True), settings()
    run(study, here, QUIET)
    results, record = collect("quick", here)
    assert set(results.final["outcome"]) == {"diverged"}
    assert _models(record) == []


UNPICKLABLE = """
import threading
from torch import nn


def make(in_channels, classes):
    net = nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
    net.lock = threading.Lock()
    return net
"""


def test_a_model_that_cannot_be_kept_is_a_note_and_no_failure(quick_study, settings, tmp_path, monkeypatch):
    """A network of a user's own may hold what no pickle takes."""
    (tmp_path / "locked.py").write_text(UNPICKLABLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    study = quick_study(
        seeds=[100],
        variants=[{"kind": "python", "factory": "locked:make"}],
        contrasts=None,
        execution={"log_model": True},
    )
    here = settings()
    assert (run(study, here, QUIET)).failed == {}
    (note,) = read_attempts(checkpoint_folder(here) / study.trials[0].id)[-1].notes
    assert note.startswith("its model could not be logged: TypeError: ") and "lock" in note
    results, record = collect("quick", here)
    assert results.missing == []
    assert [model.status.name for model in _models(record)] == ["FAILED"]
    assert MODEL_TAG not in record.runs("trial")[0].data.tags


def test_a_trial_without_psutil_says_so_and_goes_on(asked, settings, monkeypatch):
    """As on a node of a cluster that lacks it: what was checked was this machine."""
    from harness.execution import optional_outputs

    monkeypatch.setattr(optional_outputs, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "psutil", None)
    for name in [name for name in sys.modules if name.startswith("mlflow.system_metrics")]:
        monkeypatch.delitem(sys.modules, name)
    study, here = asked(system_metrics=True), settings()
    assert run(study, here, QUIET).failed == {}
    (note,) = read_attempts(checkpoint_folder(here) / study.trials[0].id)[-1].notes
    assert note.startswith("system metrics are not sampled: ") and "psutil" in note


@pytest.mark.parametrize("field", ["log_model", "system_metrics"])
def test_what_there_is_no_store_for_is_refused(field):
    require_extras(Execution(), store=False, launcher="inline")
    with pytest.raises(HarnessError, match="there is none") as caught:
        require_extras(Execution(**{field: True}), store=False, launcher="ray")
    assert caught.value.where == f"execution.{field}"


def test_a_missing_psutil_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(HarnessError, match=r"pip install 'depthbench\[system\]'"):
        require_extras(Execution(system_metrics=True), store=True, launcher="inline")
    # Ray's workers bring their own.
    require_extras(Execution(system_metrics=True), store=True, launcher="ray")


@pytest.mark.slow
def test_ray_workers_sample_and_log_models_too(asked, settings, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.01")
    here = replace(settings(), launcher="ray")
    assert run(asked(log_model=True, system_metrics=True), here, QUIET).failed == {}
    _, record = collect("quick", here)
    assert all("system/cpu_utilization_percentage" in trial.data.metrics for trial in record.runs("trial"))
    assert [model.status.name for model in _models(record)] == ["READY"] * 4
