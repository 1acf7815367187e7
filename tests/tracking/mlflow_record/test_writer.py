"""What the driver writes: runs of trials, how they end, the report."""

import pytest
from tracking.helpers import START, make_history, publish_all, read_metric

from harness.errors import HarnessError
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.mlflow_record.tags import NOTE_TAG


def test_publish_history_twice_stores_each_value_once(record, study):
    history = make_history(study.trials[0])
    run_id = record.create_trial_run(study, study.trials[0])
    record.publish_history(run_id, history)
    record.publish_history(run_id, history)
    assert read_metric(record, run_id, "train/error") == [(1, 50.0, START + 1000), (2, 25.0, START + 2000)]
    assert [step for step, _, _ in read_metric(record, run_id, "grad/first")] == [1, 2]
    assert len(record.client.get_run(run_id).inputs.dataset_inputs) == 1


def test_publish_history_of_an_older_attempt_does_not_reopen_a_finished_run(sqlite_record, study):
    run_id = sqlite_record.create_trial_run(study, study.trials[0])
    sqlite_record.publish_history(run_id, make_history(study.trials[0]))
    with pytest.raises(HarnessError, match="finished already"):
        sqlite_record.publish_history(run_id, make_history(study.trials[0], epochs=1, outcome=TrialStatus.RUNNING))
    assert sqlite_record.client.get_run(run_id).info.status == "FINISHED"


def test_publish_history_of_an_interrupted_trial_keeps_the_reason(sqlite_record, study):
    """Only the driver writes whether a trial runs and why it does not; `harness sync` adds what is missing."""
    trial = study.trials[0]
    run_id = sqlite_record.create_trial_run(study, trial)
    sqlite_record.mark_interrupted(run_id, "the time limit of 2:00:00")
    sqlite_record.publish_history(run_id, make_history(trial, epochs=1, outcome=TrialStatus.RUNNING))
    run = sqlite_record.client.get_run(run_id)
    assert (run.info.status, run.data.tags["stopped"]) == ("KILLED", "the time limit of 2:00:00")
    sqlite_record.refresh_runs()
    assert sqlite_record.read_trials()[trial.id].status is TrialStatus.INTERRUPTED


def test_mark_failed_stores_the_error_and_the_traceback(record, study):
    trial = study.trials[0]
    run_id = record.create_trial_run(study, trial)
    record.mark_failed(run_id, "ValueError: no", "Traceback ...")
    assert record.read_traceback(run_id) == "Traceback ..."
    record.refresh_runs()
    recorded = record.read_trials()[trial.id]
    assert (recorded.status, recorded.run_status, recorded.error) == (TrialStatus.FAILED, "FAILED", "ValueError: no")
    assert not recorded.is_recorded


def test_supersede_trials_keeps_their_runs_in_mlflow(record, study):
    publish_all(record, study)
    trial = study.trials[0].id
    record.supersede_trials([trial], "a test")
    assert trial not in record.read_trials()
    assert len(record.list_runs("trial")) == 4
    assert [superseded.error for superseded in record.read_superseded_trials()[trial]] == ["a test"]


def test_supersede_trials_ends_runs_that_did_not_end(sqlite_record, study):
    run_id = sqlite_record.create_trial_run(study, study.trials[0])
    sqlite_record.supersede_trials([study.trials[0].id], "a test")
    assert sqlite_record.client.get_run(run_id).info.status == "KILLED"


def test_attach_report_describes_the_report_run_and_the_experiment(sqlite_record, tmp_path):
    directory = tmp_path / "reports"
    directory.mkdir()
    (directory / "README.md").write_text("a report")
    for _ in range(2):
        sqlite_record.attach_report(directory, "**Undecided.**")
    sqlite_record.refresh_runs()
    (report,) = sqlite_record.list_runs("report")
    assert report.info.status == "FINISHED"
    assert report.data.tags[NOTE_TAG].startswith("**Undecided.**\n\nThe report is `README.md`")
    assert sqlite_record.client.get_experiment(sqlite_record.experiment_id).tags[NOTE_TAG] == "**Undecided.**"
