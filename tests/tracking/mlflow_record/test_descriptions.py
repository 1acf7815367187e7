"""The descriptions of trials in MLflow."""

from tracking.helpers import make_history

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.mlflow_record.descriptions import describe_trial_run


def test_describe_trial_run_of_a_finished_trial_has_its_errors_and_time(study):
    trial = study.trials[0]
    note = describe_trial_run(trial, make_history(trial))
    assert f"seed {trial.seed}; trial `{trial.id}`." in note
    assert (
        "Errors after 2 epochs: test error 9.00 %; training error, clean 0.17 %; training error, online 25.00 %. "
        "Training took 1.5 s on a shared device."
    ) in note


def test_describe_trial_run_of_a_diverged_trial_says_so(study):
    note = describe_trial_run(study.trials[0], make_history(study.trials[0], epochs=1, outcome=TrialStatus.DIVERGED))
    assert "**Diverged** after 1 epoch: its loss was not finite." in note


def test_describe_trial_run_of_a_running_trial_has_no_errors(study):
    note = describe_trial_run(study.trials[0], make_history(study.trials[0], outcome=TrialStatus.RUNNING))
    assert "Errors" not in note
