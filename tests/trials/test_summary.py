"""The status of a trial, from what its attempts, its checkpoints and the record say. Real trials, real stores."""

import pytest
from trial_helpers import SILENT_CONSOLE, rewrite_last_attempt

from harness.api import run
from harness.api.trials.discard import discard
from harness.api.trials.find import find_trial, open_index
from harness.api.trials.rerun import rerun
from harness.errors import HarnessError
from harness.io.checkpoint_names import list_checkpoints
from harness.processes import Process
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.record import open_checkpoint_folder, open_record
from harness.trials.events import list_events

pytestmark = pytest.mark.filterwarnings("ignore:.*damaged")


def test_failed_trials_have_an_error_and_a_traceback(one_seed_study, settings, monkeypatch, fail_training):
    with monkeypatch.context() as patched:
        fail_training(patched, 30)
        result = run(one_seed_study, settings, SILENT_CONSOLE)
    index, _ = open_index((), settings)
    failed = [trial for trial in index.list_trials("quick") if trial.status == TrialStatus.FAILED]
    assert len(failed) == len(result.failed) > 0
    assert all(trial.error == "RuntimeError: out of [bold]luck" for trial in failed)
    assert "in forward" in index.read_traceback(failed[0])
    assert [event.kind for event in list_events(failed[-1])][-2:] == ["ended", "traceback"]


def test_recorded_trials_have_epochs_errors_and_attempts(one_seed_study, settings, monkeypatch, fail_training):
    with monkeypatch.context() as patched:
        fail_training(patched, 30)
        run(one_seed_study, settings, SILENT_CONSOLE)
    run(one_seed_study, settings, SILENT_CONSOLE)
    trials = open_index((), settings)[0].list_trials("quick")
    assert {trial.status for trial in trials} == {TrialStatus.FINISHED}
    assert [(trial.epoch, trial.epochs, trial.seed) for trial in trials] == [(2, 2, 100)] * 4
    assert all(trial.last_change > 1.6e12 and trial.last_value("test/error") is not None for trial in trials)
    resumed = next(trial for trial in trials if len(trial.attempts) == 2)
    texts = [event.text for event in list_events(resumed)]
    assert texts[-1] == "attempt 2 finished"
    assert sum("epoch" in text and "train error" in text for text in texts) == 2


@pytest.fixture
def half_trained(one_seed_study, settings):
    """A trial in the middle of its last epoch: only the checkpoint before is left."""
    run(one_seed_study, settings, SILENT_CONSOLE)
    trial = one_seed_study.trials[0]
    folder = open_checkpoint_folder(settings) / trial.id
    folder.remove(list_checkpoints(folder)[0].name)
    if settings.tracking_uri is None:
        record = open_record(settings, "quick")
        record.mark_interrupted(record.read_trials()[trial.id].run_id, "the end of the world")
    return trial


@pytest.mark.parametrize(
    ("process", "end_status", "status", "text", "has_died"),
    [
        ({}, None, TrialStatus.RUNNING, "running", False),
        ({"born": "1"}, None, TrialStatus.INTERRUPTED, "interrupted", True),
        ({"host": "far"}, None, TrialStatus.RUNNING, "running on far?", False),
        ({}, TrialStatus.INTERRUPTED, TrialStatus.INTERRUPTED, "interrupted", False),
    ],
    ids=["running here", "process gone", "running elsewhere", "stopped"],
)
def test_status_of_an_unfinished_trial_follows_from_its_process(
    half_trained, settings, process, end_status, status, text, has_died
):
    this = Process.current().model_copy(update=process)
    rewrite_last_attempt(open_checkpoint_folder(settings) / half_trained.id, process=this, end_status=end_status)
    trial, _ = find_trial(half_trained.id, settings)
    assert (trial.status, trial.status_text, trial.has_died) == (status, text, has_died)


def test_trial_that_is_being_trained_is_neither_discarded_nor_trained_again(half_trained, settings):
    folder = open_checkpoint_folder(settings) / half_trained.id
    rewrite_last_attempt(folder, process=Process.current(), end_status=None)
    with pytest.raises(HarnessError, match="is being trained"):
        discard([half_trained.id], "why", settings)
    with pytest.raises(HarnessError, match="is being trained"):
        rerun(half_trained.id, settings, SILENT_CONSOLE)


def test_interrupted_trial_has_the_reason_of_the_record_and_is_trained_by_the_next_run(
    half_trained, one_seed_study, settings
):
    folder = open_checkpoint_folder(settings) / half_trained.id
    rewrite_last_attempt(folder, end_status=TrialStatus.INTERRUPTED)
    note = find_trial(half_trained.id, settings)[0].note
    assert settings.tracking_uri == "none" or "the end of the world" in note
    assert run(one_seed_study, settings, SILENT_CONSOLE).trained == 1
