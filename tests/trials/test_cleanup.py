"""Discarded trials and freed space: nothing is lost by either. Real trials, real stores."""

import pytest
from trial_helpers import SILENT_CONSOLE, read_trial_files, trial_statuses

from harness.api import collect, run
from harness.api.rerun import rerun
from harness.api.trials import clean_up, discard, find_trial, trials_of
from harness.errors import HarnessError
from harness.io.checkpoint_names import list_checkpoints
from harness.tracking.history import read_newest_history
from harness.tracking.lock import ExperimentLock
from harness.tracking.record import open_checkpoint_folder
from harness.trials.events import events
from harness.trials.rerun import DebugLauncher

pytestmark = pytest.mark.filterwarnings("ignore:.*damaged")


def test_discarded_trials_are_trained_anew_and_nothing_is_deleted(one, quick_study, here):
    run(one, here, SILENT_CONSOLE)
    run(quick_study(seeds=[100], name="other", execution={"checkpoint_seconds": 0}), here, SILENT_CONSOLE)
    ids = [trial.id for trial in one.trials[:2]]
    content = sorted(read_trial_files(here.home).values())
    (first, _) = discard([ids[0][:6], ids[1]], "the\nfan was off", here).values()
    assert "discarded (before: recorded)" in first and first.endswith(("quick, other", "other, quick"))
    assert all(value in sorted(read_trial_files(here.home).values()) for value in content)
    now = trial_statuses(here)
    assert [now[trial.id] for trial in one.trials] == ["new", "new", "recorded", "recorded"]
    known, trials = find_trial(ids[0], here)
    assert known.note == "discarded: the fan was off"
    assert {old.state for old in trials.aside_of("quick")} == {"discarded"}
    assert len(collect("quick", here)[0].missing) == 2
    (again,) = discard([ids[0]], "again", here).values()
    assert "nothing to do" in again and "the fan was off" in again
    assert run(one, here, SILENT_CONSOLE).trained == 2
    assert set(trial_statuses(here).values()) == {"recorded"}


def test_a_discard_that_is_refused_does_nothing(one, here):
    run(one, here, SILENT_CONSOLE)
    before, first = read_trial_files(here.home), one.trials[0].id
    for ids, reason, says in (
        ([first, "0" * 12], "why", "no trial begins"),
        ([first], " \n", "needs a reason"),
        ([first], "x" * 501, "501 characters"),
    ):
        with pytest.raises(HarnessError, match=says):
            discard(ids, reason, here)
    with ExperimentLock(here.record("quick"), "harness run quick").hold(), pytest.raises(HarnessError, match="harness run quick"):
        discard([first], "why", here)
    assert read_trial_files(here.home) == before


def test_a_trial_that_never_began(one, quick_study, here):
    run(one, here, SILENT_CONSOLE)
    record = here.record("quick")
    record.prepare_runs(quick_study(seeds=[100, 101]))
    new = quick_study(seeds=[101]).trials[0]
    known, _ = find_trial(new.id, here)
    assert (known.state, known.epoch, known.at, list(events(known))) == ("new", 0, 0, [])
    with pytest.raises(HarnessError, match="never began"):
        discard([new.id], "why", here)
    assert rerun(new.id, here, SILENT_CONSOLE, DebugLauncher()).outcome.trained == 1
    assert trial_statuses(here)[new.id] == "recorded"


def test_gc_frees_tensors_and_loses_nothing(one, here):
    run(one, here, SILENT_CONSOLE)
    results, journals = collect("quick", here)[0].epochs, {}
    unfinished = one.trials[3]
    folder = open_checkpoint_folder(here) / unfinished.id
    folder.remove(list_checkpoints(folder)[0].name)
    half = folder.read(list_checkpoints(folder)[0].name)
    for trial in one.trials[:3]:
        journals[trial.id] = read_newest_history(open_checkpoint_folder(here) / trial.id, trial.id)
    before = read_trial_files(here.home)

    would = clean_up(["quick"], here, dry_run=True)
    assert read_trial_files(here.home) == before
    freed = clean_up(["quick"], here)
    assert freed == would and freed.bytes > 0
    size = sum(map(len, before.values())) - sum(map(len, read_trial_files(here.home).values()))
    assert freed.bytes == size
    for trial, journal in journals.items():
        assert read_newest_history(open_checkpoint_folder(here) / trial, trial) == journal
        assert len(list_checkpoints(open_checkpoint_folder(here) / trial)) == 1
    assert folder.read(list_checkpoints(folder)[0].name) == half
    assert clean_up(["quick"], here).bytes == 0
    if here.tracking_uri is None:
        assert collect("quick", here)[0].epochs.equals(results)
    # A history without tensors is as good as one with them to everybody who goes on from it.
    outcome = run(one, here, SILENT_CONSOLE)
    assert (outcome.trained, outcome.failed) == (0 if here.tracking_uri is None else 1, {})
    assert collect("quick", here)[0].missing == []


def test_a_job_on_a_history_without_tensors_is_done(one, here):
    from harness.execution.runner import TrialGroup, run_group
    from harness.specs import Execution, Resources

    run(one, here, SILENT_CONSOLE)
    clean_up((), here)
    trial = one.trials[0]
    job = TrialGroup(
        trial, Execution(), Resources(), open_checkpoint_folder(here) / trial.id, "", "", "x", False, (8, 8), ""
    )
    (last,) = run_group(job)
    assert (last.outcome, last.epoch) == ("finished", 2)


def test_gc_of_what_was_put_aside(one, here):
    run(one, here, SILENT_CONSOLE)
    trial = one.trials[0]
    discard([trial.id], "why", here)
    freed = clean_up(["quick"], here)
    assert f"{trial.id}.superseded-1" in {tidied.folder for tidied in freed.folders["quick"]}
    (old,) = trials_of(["quick"], here)[0].aside_of("quick")
    assert old.journal.is_complete and old.why.reason == "discarded: why"


def test_gc_leaves_what_it_cannot_read(one, here):
    run(one, here, SILENT_CONSOLE)
    trial, other = one.trials[0], one.trials[1]
    folder = open_checkpoint_folder(here) / trial.id
    newest = list_checkpoints(folder)[0]
    folder.write(newest.name, folder.read(newest.name)[:1000])
    stray = open_checkpoint_folder(here) / other.id
    stray.write(list_checkpoints(stray)[0].name, (open_checkpoint_folder(here) / one.trials[2].id).read(newest.name))
    before = {name: folder.read(name) for name in folder.list_names()}
    freed = clean_up(["quick"], here)
    left = {tidied.trial: tidied.left for tidied in freed.folders["quick"] if tidied.left}
    assert set(left) == {trial.id, other.id} and "not a readable archive" in left[trial.id]
    assert {name: folder.read(name) for name in folder.list_names()} == before
    known = {k.id: k for k in trials_of(["quick"], here)[0].of("quick")}
    assert "is damaged" in known[trial.id].note and "of trial" in known[other.id].note


def test_gc_while_somebody_is_at_it(one, here):
    run(one, here, SILENT_CONSOLE)
    renamed = one.experiment.model_copy(update={"name": "other"})
    before = read_trial_files(here.home)
    with ExperimentLock(here.record("quick"), "harness run quick").hold():
        with pytest.raises(HarnessError, match="has held this experiment"):
            clean_up(["quick"], here)
        assert list(clean_up((), here).skipped) == ["quick"]
        assert clean_up(["quick"], here, dry_run=True).bytes > 0
        # Also through an experiment that shares its trials.
        here.record("other").prepare_runs(one.model_copy(update={"experiment": renamed}))
        assert set(clean_up((), here).skipped) == {"quick", "other"}
    assert read_trial_files(here.home) == before
