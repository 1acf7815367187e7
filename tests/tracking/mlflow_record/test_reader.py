"""What was recorded is read back exactly, from a store of each kind."""

import pytest
from tracking.helpers import SMALL_EXPERIMENT, START, make_history, publish_all, read_metric

from harness.errors import HarnessError
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.mlflow_record.artifacts import RunArtifacts
from harness.tracking.mlflow_record.writer import MlflowRecord


def test_reader_returns_the_recorded_experiment_and_histories(record, study):
    histories = publish_all(record, study)
    ids = [trial.id for trial in study.trials]
    fresh = MlflowRecord(record.uri, record.name)
    assert fresh.read_experiment().to_record_json() == study.to_record_json()
    assert fresh.read_histories(ids) == histories
    assert all(trial.is_recorded and trial.seconds == 1.5 for trial in fresh.read_trials().values())
    run_id = fresh.read_trials()[ids[0]].run_id
    assert read_metric(fresh, run_id, "train/error_clean") == [(1, 1 / 3, START + 1000), (2, 1 / 6, START + 2000)]
    assert read_metric(fresh, run_id, "cost/macs") == [(0, 2**40 + 1, START + 1000)]
    assert all(value != value for _, value, _ in read_metric(fresh, run_id, "grad/first"))


@pytest.mark.parametrize("outcome", [TrialStatus.FINISHED, TrialStatus.DIVERGED, TrialStatus.PRUNED])
def test_reader_returns_a_trial_s_outcome_as_its_status(sqlite_record, study, outcome):
    trial = study.trials[0]
    run_id = sqlite_record.create_trial_run(study, trial)
    sqlite_record.publish_history(run_id, make_history(trial, outcome=outcome))
    tags = sqlite_record.client.get_run(run_id).data.tags
    assert tags["outcome"] == {TrialStatus.PRUNED: "stopped"}.get(outcome, outcome.value)
    sqlite_record.refresh_runs()
    recorded = sqlite_record.read_trials()[trial.id]
    assert (recorded.status, recorded.run_status, recorded.is_recorded) == (outcome, "FINISHED", True)


def test_reader_of_a_new_run_returns_a_trial_that_has_not_begun(sqlite_record, study):
    trial = study.trials[0]
    sqlite_record.create_trial_run(study, trial)
    sqlite_record.refresh_runs()
    recorded = sqlite_record.read_trials()[trial.id]
    assert (recorded.status, recorded.run_status, recorded.has_begun) == (TrialStatus.NEW, "SCHEDULED", False)
    assert sqlite_record.read_unended_trials() == {trial.id: recorded}


def test_reader_before_the_experiment_was_stored_is_new(store_uri, study, tmp_path, monkeypatch):
    record = MlflowRecord(store_uri, study.experiment.name, home=tmp_path / "home")

    def raise_disk_full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(HarnessError):
        patched.setattr(RunArtifacts, "write_text", raise_disk_full)
        record.prepare_runs(study)
    fresh = MlflowRecord(store_uri, study.experiment.name, home=tmp_path / "home")
    assert fresh.list_runs("report") and fresh.is_new
    fresh.prepare_runs(study)
    assert not fresh.is_new and fresh.read_experiment().to_record_json() == study.to_record_json()


def test_reader_of_a_store_that_was_moved_finds_its_artifacts(study, tmp_path, empty_sqlite_store):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mlflow.db").write_bytes(empty_sqlite_store)
    record = MlflowRecord(f"sqlite:///{tmp_path}/old/mlflow.db", study.experiment.name)
    record.prepare_runs(study)
    histories = publish_all(record, study)
    (tmp_path / "old").rename(tmp_path / "new")
    moved = MlflowRecord(f"sqlite:///{tmp_path}/new/mlflow.db", study.experiment.name)
    assert moved.read_experiment().to_record_json() == study.to_record_json()
    assert moved.read_histories([trial.id for trial in study.trials]) == histories


def test_reader_in_another_working_directory_finds_the_artifacts(record, study, tmp_path, monkeypatch):
    """Workers write, and reports read, in directories of their own."""
    directories = [tmp_path / name for name in ("writing", "reading")]
    for directory in directories:
        directory.mkdir()
    monkeypatch.chdir(directories[0])
    history = make_history(study.trials[0])
    record.publish_history(record.create_trial_run(study, history.trial), history)
    monkeypatch.chdir(directories[1])
    assert MlflowRecord(record.uri, record.name).read_histories([history.id]) == [history]
    assert [list(directory.iterdir()) for directory in directories] == [[], []]


def test_find_in_other_experiments_returns_their_histories(record, study, quick_study, tmp_path):
    histories = publish_all(record, study)
    seeds = list(study.experiment.seeds)
    other = quick_study(name=f"{study.experiment.name}-other", seeds=seeds, **SMALL_EXPERIMENT)
    other_record = MlflowRecord(record.uri, other.experiment.name, home=tmp_path / "home")
    other_record.prepare_runs(other)
    readers = other_record.find_in_other_experiments([trial.id for trial in other.trials])
    assert {identity: read() for identity, read in readers.items()} == {h.id: h for h in histories}
