"""Freed space: the tensors of complete trials go, and their histories stay. Real trials, real stores."""

import pytest
from trial_helpers import SILENT_CONSOLE, read_trial_files

from harness.api import collect, run
from harness.api.trials.clean_up import clean_up
from harness.api.trials.discard import discard
from harness.api.trials.find import open_index
from harness.errors import HarnessError
from harness.execution.runner import run_group
from harness.execution.trial_group import TrialGroup, TrialTask
from harness.io.checkpoint_names import list_checkpoints
from harness.specs import Execution, Resources
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import read_newest_history
from harness.tracking.lock import ExperimentLock
from harness.tracking.record import open_checkpoint_folder, open_record

pytestmark = pytest.mark.filterwarnings("ignore:.*damaged")


def test_clean_up_frees_tensors_and_keeps_every_history(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    results, storage = collect("quick", settings)[0].epochs, open_checkpoint_folder(settings)
    folder = storage / one_seed_study.trials[3].id
    folder.remove(list_checkpoints(folder)[0].name)
    unfinished = folder.read(list_checkpoints(folder)[0].name)
    complete = [trial.id for trial in one_seed_study.trials[:3]]
    histories = [read_newest_history(storage / trial, trial) for trial in complete]
    before = read_trial_files(settings.home)

    expected = clean_up(["quick"], settings, dry_run=True)
    assert read_trial_files(settings.home) == before
    result = clean_up(["quick"], settings)
    assert result == expected and result.freed > 0
    assert result.freed == sum(map(len, before.values())) - sum(map(len, read_trial_files(settings.home).values()))
    assert [read_newest_history(storage / trial, trial) for trial in complete] == histories
    assert all(len(list_checkpoints(storage / trial)) == 1 for trial in complete)
    assert folder.read(list_checkpoints(folder)[0].name) == unfinished
    assert clean_up(["quick"], settings).freed == 0
    if settings.tracking_uri is None:
        assert collect("quick", settings)[0].epochs.equals(results)
    # Only the unfinished trial is trained, unless the record in MLflow holds it already.
    outcome = run(one_seed_study, settings, SILENT_CONSOLE)
    assert (outcome.trained, outcome.failed) == (0 if settings.tracking_uri is None else 1, {})
    assert collect("quick", settings)[0].missing == []


def test_trial_without_tensors_counts_as_trained(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    clean_up((), settings)
    trial = one_seed_study.trials[0]
    folder = open_checkpoint_folder(settings) / trial.id
    task = TrialTask(trial, Execution(), Resources(), folder, "", "", "x", False, (8, 8), "")
    (last,) = run_group(TrialGroup((task,)))
    assert (last.status, last.epoch) == (TrialStatus.FINISHED, 2)


def test_clean_up_strips_archived_trials(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    trial = one_seed_study.trials[0]
    discard([trial.id], "why", settings)
    folders = {cleanup.folder for cleanup in clean_up(["quick"], settings).folders["quick"]}
    assert f"{trial.id}.superseded-1" in folders
    (archived,) = open_index(["quick"], settings)[0].list_archived("quick")
    assert archived.history.is_complete and archived.archive_note.reason == "discarded: why"


def test_clean_up_leaves_damaged_and_misplaced_checkpoints(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    storage = open_checkpoint_folder(settings)
    damaged, misplaced, source = (storage / trial.id for trial in one_seed_study.trials[:3])
    newest = list_checkpoints(damaged)[0].name
    damaged.write(newest, damaged.read(newest)[:1000])
    misplaced.write(list_checkpoints(misplaced)[0].name, source.read(newest))
    before = {name: damaged.read(name) for name in damaged.list_names()}
    folders = clean_up(["quick"], settings).folders["quick"]
    skipped = {cleanup.folder: cleanup.skip_reason for cleanup in folders if cleanup.skip_reason}
    assert set(skipped) == {damaged.name, misplaced.name}
    assert {name: damaged.read(name) for name in damaged.list_names()} == before
    trials = {trial.id: trial for trial in open_index(["quick"], settings)[0].list_trials("quick")}
    assert "is damaged" in trials[damaged.name].note and "trial" in trials[misplaced.name].note


def test_clean_up_during_a_run_skips_the_experiment_and_those_that_share_its_trials(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    before = read_trial_files(settings.home)
    with ExperimentLock(open_record(settings, "quick"), "harness run quick").hold():
        with pytest.raises(HarnessError, match="harness run quick"):
            clean_up(["quick"], settings)
        assert list(clean_up((), settings).skipped) == ["quick"]
        assert clean_up(["quick"], settings, dry_run=True).freed > 0
        other = one_seed_study.experiment.model_copy(update={"name": "other"})
        open_record(settings, "other").prepare_runs(one_seed_study.replace(experiment=other))
        assert set(clean_up((), settings).skipped) == {"quick", "other"}
    assert read_trial_files(settings.home) == before
