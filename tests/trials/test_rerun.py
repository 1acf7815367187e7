"""A trial trained again: the same bit for bit, or the record stays as it was. Real trials, real stores."""

from dataclasses import replace

import pytest
from trial_helpers import SILENT_CONSOLE, read_trial_files, trial_statuses, results_without_times

from harness.api import run
from harness.api.rerun import rerun
from harness.api.trials import clean_up, find_trial, trials_of
from harness.errors import HarnessError
from harness.tracking.history import read_newest_history
from harness.tracking.record import open_checkpoint_folder
from harness.trials.rerun import DebugLauncher, first_difference

pytestmark = pytest.mark.filterwarnings("ignore:.*damaged")


def test_a_rerun_gives_the_same_and_says_so(one, here):
    run(one, here, SILENT_CONSOLE)
    before, trial = results_without_times(here), one.trials[1]
    done = rerun(trial.id, here, SILENT_CONSOLE, DebugLauncher())
    assert first_difference(done.before, done.now) == ""
    assert done.now.epochs[-1].at > done.before.epochs[-1].at
    assert results_without_times(here).equals(before)
    assert set(trial_statuses(here).values()) == {"recorded"}
    assert read_newest_history(open_checkpoint_folder(here) / trial.id, trial.id) == done.now
    assert read_newest_history(open_checkpoint_folder(here) / f"{trial.id}.superseded-1", trial.id) == done.before
    assert not (open_checkpoint_folder(here) / f"{trial.id}.again").list_names()
    (old,) = trials_of(["quick"], here)[0].aside_of("quick")
    assert (old.state, old.why.reason) == ("superseded", "trained again by harness rerun")
    assert run(one, here, SILENT_CONSOLE).trained == 0
    # Also of one whose checkpoint has no tensors any more, and on Ray.
    clean_up((), here)
    again = rerun(trial.id, replace(here, launcher="inline" if here.tracking_uri else "ray"), SILENT_CONSOLE)
    assert first_difference(again.before, again.now) == "" and again.before == done.now


def test_a_rerun_that_fails_leaves_the_record_as_it_is(one, here, monkeypatch, failing):
    run(one, here, SILENT_CONSOLE)
    before, results, trial = read_trial_files(here.home), results_without_times(here), one.trials[2]
    inline = DebugLauncher()
    with monkeypatch.context() as patched:
        failing(patched, 8)
        done = rerun(trial.id, here, SILENT_CONSOLE, inline)
    assert done.now is None and done.outcome.failed
    assert "out of [bold]luck" in done.trace
    # What a debugger opens at.
    frames = []
    trace = inline.error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert frames[0] == "attempt" and frames[-1] == "forward"
    assert {path: content for path, content in read_trial_files(here.home).items() if ".again" not in str(path)} == before
    assert results_without_times(here).equals(results)
    assert set(trial_statuses(here).values()) == {"recorded"}
    assert first_difference(*(lambda d: (d.before, d.now))(rerun(trial.id, here, SILENT_CONSOLE, DebugLauncher()))) == ""


def test_a_rerun_that_is_stopped_goes_on_where_it_was(one, here):
    run(one, here, SILENT_CONSOLE)
    before, trial = read_trial_files(here.home), one.trials[3]

    class Stopping(DebugLauncher):
        def __call__(self, jobs, concurrency, report, stop):
            def once(progress):
                report(progress)
                stop.request("a test")

            super().__call__(jobs, concurrency, once, stop)

    done = rerun(trial.id, here, SILENT_CONSOLE, Stopping())
    assert (done.now, len(done.outcome.stopped)) == (None, 1)
    known, _ = find_trial(trial.id, here)
    assert (known.state, known.again.last_epoch) == ("recorded", 1)
    (left,) = [tidied for tidied in clean_up([], here, dry_run=True).folders["quick"] if tidied.left]
    assert left.folder == f"{trial.id}.again" and f"harness rerun {trial.id}" in left.left
    assert {path: content for path, content in read_trial_files(here.home).items() if ".again" not in str(path)} == before
    done = rerun(trial.id, here, SILENT_CONSOLE, DebugLauncher())
    assert first_difference(done.before, done.now) == ""
    assert [a.ended for a in find_trial(trial.id, here)[0].attempts] == ["stopped", "finished"]


class Cut(BaseException):
    """As a process that is killed."""


def cut_off(one, here, monkeypatch):
    """A trial whose rerun ended when the old one was aside, and the new one not yet in its place."""
    run(one, here, SILENT_CONSOLE)

    def cut(*_):
        raise Cut

    with monkeypatch.context() as patched, pytest.raises(Cut):
        patched.setattr("harness.trials.rerun.promote_rerun", cut)
        rerun(one.trials[0].id, here, SILENT_CONSOLE, DebugLauncher())
    return one.trials[0]


def test_a_rerun_that_was_cut_off_between_training_and_taking_its_place(one, here, monkeypatch):
    trial = cut_off(one, here, monkeypatch)
    known, _ = find_trial(trial.id, here)
    assert (known.state, len(known.aside)) == ("new", 1)
    assert read_newest_history(open_checkpoint_folder(here) / f"{trial.id}.superseded-1", trial.id).is_complete
    left = read_newest_history(open_checkpoint_folder(here) / f"{trial.id}.again" / trial.id, trial.id)
    done = rerun(trial.id, here, SILENT_CONSOLE, DebugLauncher())
    assert trial_statuses(here)[trial.id] == "recorded"
    # Not trained a third time.
    assert (done.now, first_difference(done.before, done.now)) == (left, "")
    assert read_newest_history(open_checkpoint_folder(here) / trial.id, trial.id) == left
    assert not (open_checkpoint_folder(here) / f"{trial.id}.again").list_names()


def test_what_a_rerun_left_never_takes_the_place_of_what_was_trained_since(one, here, monkeypatch):
    trial = cut_off(one, here, monkeypatch)
    assert run(one, here, SILENT_CONSOLE).trained == 1
    since = read_newest_history(open_checkpoint_folder(here) / trial.id, trial.id)
    done = rerun(trial.id, here, SILENT_CONSOLE, DebugLauncher())
    assert done.before == since and done.now.epochs[0].at > since.epochs[-1].at


def test_a_rerun_keeps_what_was_looked_at_meanwhile(one, here, monkeypatch):
    """The study that is recorded is another one by the time that the trial is trained."""
    run(one, here, SILENT_CONSOLE)
    record = here.record("quick", create=False)
    kept = []
    with monkeypatch.context() as patched:
        patched.setattr(type(record), "keep", lambda self, study: kept.append(study))
        assert rerun(one.trials[0].id, here, SILENT_CONSOLE, DebugLauncher()).now is not None
    # That of the scratch record alone, which is in journals.
    assert len(kept) == (here.tracking_uri == "none")


def test_what_differs_is_named(one, here):
    run(one, here, SILENT_CONSOLE)
    history = read_newest_history(open_checkpoint_folder(here) / one.trials[0].id, one.trials[0].id)
    last = history.epochs[-1]
    metrics = {**last.metrics, "test/error": 1.0, "time/train_s": 99.0}
    other = history.model_copy(update={"epochs": (*history.epochs[:-1], last.model_copy(update={"metrics": metrics}))})
    assert first_difference(history, other) == f"epoch 2: test/error was {last.metrics['test/error']!r}, is 1.0"
    shorter = history.model_copy(update={"epochs": history.epochs[:-1]})
    assert first_difference(history, shorter) == "epoch 2 was measured before alone"


def test_a_rerun_needs_the_data_as_it_was(quick_study, image_folder, here, tmp_path):
    root = image_folder()
    data = {"name": "imagefolder", "root": str(root), "image_size": 8}
    study = quick_study(data=data, recipe={"epochs": 1, "batch": 16, "lr": 0.05}, seeds=[100], contrasts=None)
    run(study, here, SILENT_CONSOLE)
    trial = study.trials[0].id
    moved = root.rename(tmp_path / "moved")
    with pytest.raises(HarnessError):
        rerun(trial, here, SILENT_CONSOLE, DebugLauncher())
    done = rerun(trial, here, SILENT_CONSOLE, DebugLauncher(), data_root=moved)
    assert first_difference(done.before, done.now) == ""
    next(moved.rglob("*.png")).unlink()
    with pytest.raises(HarnessError, match="fingerprint"):
        rerun(trial, here, SILENT_CONSOLE, DebugLauncher(), data_root=moved)
    assert find_trial(trial, here)[0].state == "recorded"
