"""Discarded trials: archived with a reason, trained again by the next run, and never deleted."""

import pytest
from trial_helpers import SILENT_CONSOLE, read_trial_files, trial_statuses

from harness.api import Settings, collect, run
from harness.api.trials.discard import discard
from harness.api.trials.find import find_trial, open_index
from harness.api.trials.rerun import rerun
from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.lock import ExperimentLock
from harness.tracking.record import open_record
from harness.trials.events import list_events
from harness.trials.rerun import DebugLauncher

NEW, FINISHED = TrialStatus.NEW, TrialStatus.FINISHED


def test_discarded_trials_are_trained_again_and_nothing_is_deleted(one_seed_study, quick_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    run(quick_study(seeds=[100], name="other", execution={"checkpoint_seconds": 0}), settings, SILENT_CONSOLE)
    ids = [trial.id for trial in one_seed_study.trials[:2]]
    content = sorted(read_trial_files(settings.home).values())
    first, _ = discard([ids[0][:6], ids[1]], "the\nfan was off", settings).values()
    assert "discarded (before: finished)" in first and first.endswith(("quick, other", "other, quick"))
    after = sorted(read_trial_files(settings.home).values())
    assert all(value in after for value in content)
    statuses = trial_statuses(settings)
    assert [statuses[trial.id] for trial in one_seed_study.trials] == [NEW, NEW, FINISHED, FINISHED]
    trial, index = find_trial(ids[0], settings)
    assert trial.note == "discarded: the fan was off"
    assert {version.status for version in index.list_archived("quick")} == {TrialStatus.DISCARDED}
    assert len(collect("quick", settings)[0].missing) == 2
    (repeated,) = discard([ids[0]], "again", settings).values()
    assert "nothing to do" in repeated and "the fan was off" in repeated
    assert run(one_seed_study, settings, SILENT_CONSOLE).trained == 2
    assert set(trial_statuses(settings).values()) == {FINISHED}


@pytest.mark.parametrize(
    ("unknown", "reason", "words"),
    [
        (["0" * 12], "why", "no trial's id starts"),
        ([], " \n", "needs a reason"),
        ([], "x" * 501, "501 characters"),
    ],
)
def test_discard_that_is_refused_changes_nothing(one_seed_study, tmp_path, unknown, reason, words):
    settings = Settings(tmp_path / "home", "none", "inline", reports=tmp_path / "reports")
    run(one_seed_study, settings, SILENT_CONSOLE)
    before = read_trial_files(settings.home)
    with pytest.raises(HarnessError, match=words):
        discard([one_seed_study.trials[0].id, *unknown], reason, settings)
    assert read_trial_files(settings.home) == before


def test_discard_during_a_run_is_refused(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    before = read_trial_files(settings.home)
    lock = ExperimentLock(open_record(settings, "quick"), "harness run quick")
    with lock.hold(), pytest.raises(HarnessError, match="harness run quick"):
        discard([one_seed_study.trials[0].id], "why", settings)
    assert read_trial_files(settings.home) == before


def test_trial_that_never_started_is_not_discarded_but_trained_by_a_rerun(one_seed_study, quick_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    open_record(settings, "quick").prepare_runs(quick_study(seeds=[100, 101]))
    new = quick_study(seeds=[101]).trials[0]
    trial, _ = find_trial(new.id, settings)
    assert (trial.status, trial.epoch, trial.last_change, list(list_events(trial))) == (NEW, 0, 0, [])
    with pytest.raises(HarnessError, match="was never started"):
        discard([new.id], "why", settings)
    assert rerun(new.id, settings, SILENT_CONSOLE, DebugLauncher()).result.trained == 1
    assert trial_statuses(settings)[new.id] == FINISHED


def test_discard_in_a_storage_that_is_no_directory_renames_the_folder(one_seed_study, tmp_path):
    storage = f"memory://depthbench-{tmp_path.name}"
    settings = Settings(tmp_path / "home", "none", "inline", reports=tmp_path / "reports", storage=storage)
    run(one_seed_study, settings, SILENT_CONSOLE)
    trial = one_seed_study.trials[0].id
    discard([trial], "why", settings)
    assert trial_statuses(settings)[trial] == NEW
    assert f"{trial}.superseded-1" in Folder.from_location(storage).list_names()
    assert open_index(["quick"], settings)[0].list_archived("quick")[0].status == TrialStatus.DISCARDED
