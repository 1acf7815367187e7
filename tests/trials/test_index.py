"""Trials at hand: what is said of them. Real trials, real stores."""

import json
import shutil

import pytest
from trial_helpers import SILENT_CONSOLE, rewrite_last_attempt, trial_statuses

from harness.api import Settings, run
from harness.api.rerun import rerun
from harness.api.trials import clean_up, discard, find_trial, traceback, trials_of, with_history
from harness.errors import HarnessError
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.processes import Process
from harness.tracking.record import open_checkpoint_folder
from harness.trials.events import events
from harness.trials.rerun import DebugLauncher, first_difference

pytestmark = pytest.mark.filterwarnings("ignore:.*damaged")


def test_states_epochs_and_errors(one, here, monkeypatch, failing):
    with monkeypatch.context() as patched:
        failing(patched, 30)
        outcome = run(one, here, SILENT_CONSOLE)
    assert outcome.failed
    failed = [known for known in trials_of((), here)[0].of("quick") if known.state == "failed"]
    assert len(failed) == len(outcome.failed)
    assert all(known.error == "RuntimeError: out of [bold]luck" for known in failed)
    trials, _ = trials_of((), here)
    assert "in forward" in traceback(failed[0], trials)
    assert [e.kind for e in events(failed[-1])][-2:] == ["ended", "traceback"]

    run(one, here, SILENT_CONSOLE)
    known = trials_of((), here)[0].of("quick")
    assert {k.state for k in known} == {"recorded"}
    assert [(k.epoch, k.epochs, k.seed) for k in known] == [(2, 2, 100)] * 4
    assert all(k.at > 1.6e12 and k.measured("test/error") is not None for k in known)
    assert max(len(k.attempts) for k in known) == 2
    resumed = next(k for k in known if len(k.attempts) == 2)
    told = [e.text for e in events(resumed)]
    assert told[-1] == "attempt 2 finished" and sum("epoch" in t and "train error" in t for t in told) == 2


def test_running_dead_and_stopped(one, here):
    run(one, here, SILENT_CONSOLE)
    trial = one.trials[0]
    folder = open_checkpoint_folder(here) / trial.id
    (newest,) = list_checkpoints(folder)[:1]
    # As it was in the middle of its last epoch: only the checkpoint before.
    folder.remove(newest.name)
    if here.tracking_uri is None:
        record = here.record("quick")
        record.mark_interrupted(record.read_trials()[trial.id].run_id, "the end of the world")
    this = Process.current()
    for process, ended, state, shown in (
        (this, "", "running", "running"),
        (this.model_copy(update={"born": "1"}), "", "died", "died"),
        (this.model_copy(update={"host": "far"}), "", "running", "running on far?"),
        (this, "stopped", "stopped", "stopped"),
    ):
        rewrite_last_attempt(folder, process=process, ended=ended)
        known, _ = find_trial(trial.id, here)
        assert (known.state, known.state_shown) == (state, shown)
        if shown == "running":
            for act in (lambda: discard([trial.id], "why", here), lambda: rerun(trial.id, here, SILENT_CONSOLE)):
                with pytest.raises(HarnessError, match="is being trained"):
                    act()
    assert here.tracking_uri == "none" or "the end of the world" in known.note
    assert run(one, here, SILENT_CONSOLE).trained == 1


def test_ids_are_found_by_their_first_digits(one, here, monkeypatch):
    run(one, here, SILENT_CONSOLE)
    first = one.trials[0].id
    known, trials = find_trial(first[:4].upper(), here)
    assert (known.id, known.label) == (first, one.trials[0].label)
    for word, says in (("12", "no id"), ("x" * 12, "no id"), ("../..", "no id"), ("0" * 12, "no trial begins")):
        with pytest.raises(HarnessError, match=says) as error:
            find_trial(word, here)
        assert "harness trials" in error.value.remedy
    twin = first[:4] + "0" * 8
    monkeypatch.setattr(type(trials), "all_ids", lambda self: [first, twin])
    with pytest.raises(HarnessError, match="2 trials begin with") as error:
        find_trial(first[:4], here)
    assert first in error.value.what and one.trials[0].label in error.value.what


def test_trials_of_other_settings_are_listed_and_not_trained(one, quick_study, here):
    run(one, here, SILENT_CONSOLE)
    run(quick_study(seeds=[101]), here, SILENT_CONSOLE)
    trials, _ = trials_of(["quick"], here)
    old = [known for known in trials.of("quick") if not known.current]
    if here.tracking_uri is None:
        assert {k.id for k in old} == {t.id for t in one.trials}
        assert {(k.state, k.seed) for k in old} == {("recorded", 100)}
    known, _ = find_trial(one.trials[0].id, here)
    assert (known.label, known.state, known.current) == (one.trials[0].label, "recorded", False)
    with pytest.raises(HarnessError, match="other settings"):
        rerun(known.id, here, SILENT_CONSOLE)
    # Whoever tidies everything tidies these, too.
    assert clean_up((), here).bytes > 0
    assert not find_trial(known.id, here)[0].troubles


def test_the_record_alone_tells_what_it_can(one, tmp_path):
    here = Settings(home=tmp_path / "home", launcher="inline", reports=tmp_path / "reports")
    run(one, here, SILENT_CONSOLE)
    shutil.rmtree(here.home / "trials")
    trials, _ = trials_of((), here)
    known = trials.of("quick")[0]
    assert (known.state, known.epoch, known.epochs, known.journal) == ("recorded", 2, 2, None)
    assert with_history(known, trials).journal.last_epoch == 2
    assert clean_up((), here).bytes == 0


def test_nothing_is_there(here):
    assert trials_of((), here)[0].records == {}
    with pytest.raises(HarnessError, match="no trial begins"):
        find_trial("abcdef", here)
    with pytest.raises(HarnessError, match="no experiment 'quick' is recorded"):
        trials_of(["quick"], here)
    with pytest.raises(HarnessError, match="not the name"):
        trials_of(["../quick"], here)
    assert clean_up((), here).bytes == 0
    assert not here.home.exists()


def test_an_experiment_that_cannot_be_read_hides_no_other(one, quick_study, tmp_path):
    here = Settings(home=tmp_path / "home", tracking_uri="none", launcher="inline", reports=tmp_path / "reports")
    run(one, here, SILENT_CONSOLE)
    (here.home / "studies" / "bad.json").write_text(json.dumps({"no": "study"}))
    trials, troubles = trials_of((), here)
    assert (list(trials.records), list(troubles)) == (["quick"], ["bad"])


def test_on_a_storage_that_is_no_directory(one, tmp_path):
    place = f"memory://depthbench-{tmp_path.name}"
    here = Settings(tmp_path / "home", "none", "inline", reports=tmp_path / "reports", storage=place)
    run(one, here, SILENT_CONSOLE)
    trial = one.trials[0].id
    assert clean_up((), here).bytes > 0
    assert first_difference(*(lambda d: (d.before, d.now))(rerun(trial, here, SILENT_CONSOLE, DebugLauncher()))) == ""
    discard([trial], "why", here)
    assert trial_statuses(here)[trial] == "new"
    assert Folder.from_location(place).list_names().count(f"{trial}.superseded-2") == 1
