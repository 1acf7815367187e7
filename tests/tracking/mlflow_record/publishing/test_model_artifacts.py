"""A trained network as an MLflow model, in a store of each kind."""

import pytest
import torch

from harness.execution.runner import run_group
from harness.execution.trial_group import TrialGroup, TrialTask
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.specs import Execution, Resources
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.mlflow_record.tags import MODEL_TAG
from harness.training.checkpoint_file import load_state


@pytest.fixture
def train(record, study, tmp_path):
    """Train the first trial with a model; return the folder of its checkpoints, its run and its last progress."""

    def run(trial):
        run_id = record.create_trial_run(study, trial)
        folder = Folder.from_location(tmp_path / trial.id)
        execution = Execution(log_model=True)
        task = TrialTask(trial, execution, Resources(), folder, record.uri, run_id, "x", False, study.data.size, "")
        (*_, last) = run_group(TrialGroup((task,)))
        assert (last.status, last.message) == (TrialStatus.FINISHED, "")
        return folder, run_id, last

    return run


def test_log_model_keeps_the_trained_network(record, study, train, monkeypatch):
    trial = study.trials[0]
    folder, run_id, last = train(trial)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", record.uri)
    from mlflow.pytorch import load_model

    address = record.client.get_run(run_id).data.tags[MODEL_TAG]
    with folder.open(list_checkpoints(folder)[0].name) as file:
        trained = load_state(file, "x", torch.device("cpu"))["network"]
    network = load_model(address)
    assert {name: value.tolist() for name, value in network.state_dict().items()} == {
        name: value.tolist() for name, value in trained.items()
    }
    assert not network.training
    # The model can also be loaded by its run and its name, and it shows the last errors.
    by_name = load_model(f"runs:/{run_id}/{trial.label}")
    assert torch.equal(by_name(torch.ones(2, 1, 8, 8)), network(torch.ones(2, 1, 8, 8)))
    model = record.client.get_logged_model(address.removeprefix("models:/"))
    assert {m.key: m.value for m in model.metrics}["test/error"] == last.test_error
