"""The record without MLflow: checkpoints hold the histories, and files in the home hold the rest."""

import pytest
from tracking.helpers import make_history

from harness.errors import HarnessError
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint
from harness.io.storage import Folder
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.history import HISTORY_FILE


@pytest.fixture
def storage(tmp_path):
    return Folder.from_location(tmp_path / "trials")


@pytest.fixture
def checkpoint_record(study, tmp_path, storage):
    return CheckpointRecord(tmp_path, study.experiment.name, storage)


def write_checkpoint(storage, history):
    content = pack_archive({HISTORY_FILE: history.model_dump_json().encode()})
    (storage / history.id).write(Checkpoint(1, 2).name, content)


def test_checkpoint_record_before_the_first_run_is_new(checkpoint_record, study):
    assert checkpoint_record.is_new
    with pytest.raises(HarnessError, match=f"no experiment '{study.experiment.name}' is recorded"):
        checkpoint_record.read_experiment()


def test_checkpoint_record_reads_back_the_experiment(checkpoint_record, study, tmp_path, storage):
    checkpoint_record.prepare_runs(study)
    fresh = CheckpointRecord(tmp_path, study.experiment.name, storage)
    assert not fresh.is_new
    assert fresh.read_experiment().to_record_json() == study.to_record_json()


def test_checkpoint_record_of_a_single_trial_leaves_the_experiment(checkpoint_record, study):
    checkpoint_record.prepare_runs(study, write_experiment=False)
    assert checkpoint_record.is_new


def test_checkpoint_record_reads_complete_histories(checkpoint_record, study, storage):
    running, pruned, *rest = study.trials
    histories = [make_history(pruned, outcome=TrialStatus.PRUNED), *map(make_history, rest)]
    for history in (make_history(running, outcome=TrialStatus.RUNNING), *histories):
        write_checkpoint(storage, history)
    assert checkpoint_record.read_histories([trial.id for trial in study.trials]) == histories
    trials = checkpoint_record.read_trials()
    assert set(trials) == {history.id for history in histories}
    assert trials[pruned.id].status is TrialStatus.PRUNED and trials[pruned.id].is_recorded
    assert {trials[trial.id].status for trial in rest} == {TrialStatus.FINISHED}
