"""What a run of one plan leaves in MLflow for trials that fail, or that it does not begin."""

import time

import pytest

from harness.execution.progress import Progress
from harness.experiments.background_tasks import BackgroundTasks
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.record import open_record


@pytest.fixture
def run_plan_with(quick_study, make_settings, run_with_launcher, tmp_path):
    """Return a function that runs the quick experiment with a launcher, and returns the record and its one entry."""
    study, settings = quick_study(seeds=[100], contrasts=None), make_settings(uri=f"sqlite:///{tmp_path}/mlflow.db")

    def run(launcher):
        run_with_launcher(study, settings, launcher)
        record = open_record(settings, study.experiment.name)
        # Trials that have not begun have no run.
        (trial,) = record.read_trials().values()
        return record, trial

    return run


def failing(message):
    """Return a launcher whose first trial fails with a message."""

    def launcher(groups, concurrency, report, stop):
        trial = min((task.trial for group in groups for task in group.tasks), key=lambda trial: trial.label)
        report(Progress(trial.id, TrialStatus.FAILED, message=message, traceback=f"traceback of {message}"))

    return launcher


def test_trial_that_a_stopped_run_did_not_begin_keeps_its_failure_and_its_end(run_plan_with):
    _, failed = run_plan_with(failing("first"))
    assert (failed.status, failed.error) == (TrialStatus.FAILED, "first")
    time.sleep(0.01)
    _, after = run_plan_with(lambda groups, concurrency, report, stop: stop.request("Ctrl-C"))
    assert after == failed


def test_second_failure_replaces_the_first_although_the_store_was_away(run_plan_with, monkeypatch):
    run_plan_with(failing("first"))
    monkeypatch.setattr(BackgroundTasks, "submit", lambda self, task: None)
    record, failed = run_plan_with(failing("second"))
    assert (failed.status, failed.error) == (TrialStatus.FAILED, "second")
    assert record.read_traceback(failed.run_id) == "traceback of second"
