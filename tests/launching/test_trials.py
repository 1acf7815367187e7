"""Trials at hand: what is said of them, and that nothing is lost by what is done to them. Real trials, real stores."""

import io
import json
import shutil

import pytest
from rich.console import Console

from harness.errors import HarnessError
from harness.launching.again import Inline, beside, difference
from harness.launching.attempts import attempts
from harness.launching.logs import events
from harness.processes import Process
from harness.storage import Folder, checkpoints
from harness.tracking.history import newest_journal
from harness.tracking.lock import Lock
from harness.verbs import Settings, collect, run
from harness.verbs_trials import discard, find, gc, rerun, traceback, trials_of, with_history

QUIET = Console(file=io.StringIO(), width=140)
pytestmark = pytest.mark.filterwarnings("ignore:.*damaged")


@pytest.fixture(params=["sqlite", "none"])
def here(request, tmp_path):
    """A home with its record in SQLite, or in the journals alone."""
    uri = "none" if request.param == "none" else None
    return Settings(home=tmp_path / "home", tracking_uri=uri, launcher="inline", reports=tmp_path / "reports")


@pytest.fixture
def one(quick_study):
    """The quick experiment with one seed and its four variants, a checkpoint after every step."""
    return quick_study(seeds=[100], execution={"checkpoint_seconds": 0})


def _states(here, **options):
    return {known.id: known.state for known in trials_of(["quick"], here, **options)[0].of("quick")}


def _untimed(settings):
    frame = collect("quick", settings)[0].epochs
    return frame.drop(columns=[c for c in frame.columns if c.startswith("time/")] + ["at", "shared"])


def _files(home):
    """Checkpoints and attempts with their content; a store may note the time of a look."""
    return {path: path.read_bytes() for path in sorted((home / "trials").rglob("*")) if path.is_file()}


def _rewrite(folder, **changes):
    last = attempts(folder)[-1].model_copy(update=changes)
    folder.write(last.name, last.model_dump_json().encode())


class Failing:
    """Fails the training after some forward passes."""

    def __init__(self, monkeypatch, calls):
        from harness.models import network

        self.original, self.calls = network.Network.forward, 0

        def forward(net, x):
            self.calls += 1
            if self.calls > calls:
                raise RuntimeError("out of [bold]luck")
            return self.original(net, x)

        monkeypatch.setattr(network.Network, "forward", forward)


def test_states_epochs_and_errors(one, here, monkeypatch):
    with monkeypatch.context() as patched:
        Failing(patched, 30)
        outcome = run(one, here, QUIET)
    assert outcome.failed
    failed = [known for known in trials_of((), here)[0].of("quick") if known.state == "failed"]
    assert len(failed) == len(outcome.failed)
    assert all(known.error == "RuntimeError: out of [bold]luck" for known in failed)
    trials, _ = trials_of((), here)
    assert "in forward" in traceback(failed[0], trials)
    assert [e.kind for e in events(failed[-1])][-2:] == ["ended", "traceback"]

    run(one, here, QUIET)
    known = trials_of((), here)[0].of("quick")
    assert {k.state for k in known} == {"recorded"}
    assert [(k.epoch, k.epochs, k.seed) for k in known] == [(2, 2, 100)] * 4
    assert all(k.at > 1.6e12 and k.measured("test/error") is not None for k in known)
    assert max(len(k.attempts) for k in known) == 2
    resumed = next(k for k in known if len(k.attempts) == 2)
    told = [e.text for e in events(resumed)]
    assert told[-1] == "attempt 2 finished" and sum("epoch" in t and "train error" in t for t in told) == 2


def test_running_dead_and_stopped(one, here):
    run(one, here, QUIET)
    trial = one.trials[0]
    folder = here.folder / trial.id
    (newest,) = checkpoints(folder)[:1]
    # As it was in the middle of its last epoch: only the checkpoint before.
    folder.remove(newest.name)
    if here.tracking_uri is None:
        record = here.record("quick")
        record.stop(record.trials()[trial.id].run_id, "the end of the world")
    this = Process.this()
    for process, ended, state, shown in (
        (this, "", "running", "running"),
        (this.model_copy(update={"born": "1"}), "", "died", "died"),
        (this.model_copy(update={"host": "far"}), "", "running", "running on far?"),
        (this, "stopped", "stopped", "stopped"),
    ):
        _rewrite(folder, process=process, ended=ended)
        known, _ = find(trial.id, here)
        assert (known.state, known.state_shown) == (state, shown)
        if shown == "running":
            for act in (lambda: discard([trial.id], "why", here), lambda: rerun(trial.id, here, QUIET)):
                with pytest.raises(HarnessError, match="is being trained"):
                    act()
    assert here.tracking_uri == "none" or "the end of the world" in known.note
    assert run(one, here, QUIET).trained == 1


def test_ids_are_found_by_their_first_digits(one, here, monkeypatch):
    run(one, here, QUIET)
    first = one.trials[0].id
    known, trials = find(first[:4].upper(), here)
    assert (known.id, known.label) == (first, one.trials[0].label)
    for word, says in (("12", "no id"), ("x" * 12, "no id"), ("../..", "no id"), ("0" * 12, "no trial begins")):
        with pytest.raises(HarnessError, match=says) as error:
            find(word, here)
        assert "harness trials" in error.value.remedy
    twin = first[:4] + "0" * 8
    monkeypatch.setattr(type(trials), "all_ids", lambda self: [first, twin])
    with pytest.raises(HarnessError, match="2 trials begin with") as error:
        find(first[:4], here)
    assert first in error.value.what and one.trials[0].label in error.value.what


def test_trials_of_other_settings_are_listed_and_not_trained(one, quick_study, here):
    run(one, here, QUIET)
    run(quick_study(seeds=[101]), here, QUIET)
    trials, _ = trials_of(["quick"], here)
    old = [known for known in trials.of("quick") if not known.current]
    if here.tracking_uri is None:
        assert {k.id for k in old} == {t.id for t in one.trials}
        assert {(k.state, k.seed) for k in old} == {("recorded", 100)}
    known, _ = find(one.trials[0].id, here)
    assert (known.label, known.state, known.current) == (one.trials[0].label, "recorded", False)
    with pytest.raises(HarnessError, match="other settings"):
        rerun(known.id, here, QUIET)
    # Whoever tidies everything tidies these, too.
    assert gc((), here).bytes > 0
    assert not find(known.id, here)[0].troubles


def test_the_record_alone_tells_what_it_can(one, tmp_path):
    here = Settings(home=tmp_path / "home", launcher="inline", reports=tmp_path / "reports")
    run(one, here, QUIET)
    shutil.rmtree(here.home / "trials")
    trials, _ = trials_of((), here)
    known = trials.of("quick")[0]
    assert (known.state, known.epoch, known.epochs, known.journal) == ("recorded", 2, 2, None)
    assert with_history(known, trials).journal.last_epoch == 2
    assert gc((), here).bytes == 0


def test_a_rerun_gives_the_same_and_says_so(one, here):
    run(one, here, QUIET)
    before, trial = _untimed(here), one.trials[1]
    done = rerun(trial.id, here, QUIET, Inline())
    assert difference(done.before, done.now) == ""
    assert done.now.epochs[-1].at > done.before.epochs[-1].at
    assert _untimed(here).equals(before)
    assert set(_states(here).values()) == {"recorded"}
    assert newest_journal(here.folder / trial.id, trial.id) == done.now
    assert newest_journal(here.folder / f"{trial.id}.superseded-1", trial.id) == done.before
    assert not beside(here.folder, trial.id).names()
    (old,) = trials_of(["quick"], here)[0].aside_of("quick")
    assert (old.state, old.why.reason) == ("superseded", "trained again by harness rerun")
    assert run(one, here, QUIET).trained == 0
    # Also on Ray, and also of one whose checkpoint has no tensors any more.
    gc((), here)
    again = rerun(trial.id, Settings(here.home, here.tracking_uri, "ray"), QUIET)
    assert difference(again.before, again.now) == "" and again.before == done.now


def test_a_rerun_that_fails_leaves_the_record_as_it_is(one, here, monkeypatch):
    run(one, here, QUIET)
    before, results, trial = _files(here.home), _untimed(here), one.trials[2]
    inline = Inline()
    with monkeypatch.context() as patched:
        Failing(patched, 8)
        done = rerun(trial.id, here, QUIET, inline)
    assert done.now is None and done.outcome.failed
    assert "out of [bold]luck" in done.trace
    # What a debugger opens at.
    frames = []
    trace = inline.error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert frames[0] == "attempt" and frames[-1] == "forward"
    assert {path: content for path, content in _files(here.home).items() if ".again" not in str(path)} == before
    assert _untimed(here).equals(results)
    assert set(_states(here).values()) == {"recorded"}
    assert difference(*(lambda d: (d.before, d.now))(rerun(trial.id, here, QUIET, Inline()))) == ""


def test_a_rerun_that_is_stopped_goes_on_where_it_was(one, here):
    run(one, here, QUIET)
    before, trial = _files(here.home), one.trials[3]

    class Stopping(Inline):
        def __call__(self, jobs, concurrency, report, stop):
            def once(progress):
                report(progress)
                stop.ask("a test")

            super().__call__(jobs, concurrency, once, stop)

    done = rerun(trial.id, here, QUIET, Stopping())
    assert (done.now, len(done.outcome.stopped)) == (None, 1)
    assert {path: content for path, content in _files(here.home).items() if ".again" not in str(path)} == before
    done = rerun(trial.id, here, QUIET, Inline())
    assert difference(done.before, done.now) == ""
    assert [a.ended for a in find(trial.id, here)[0].attempts] == ["stopped", "finished"]


def test_a_rerun_that_was_cut_off_between_training_and_taking_its_place(one, here, monkeypatch):
    run(one, here, QUIET)
    trial = one.trials[0]

    class Cut(BaseException):
        pass

    def cut(*_):
        raise Cut

    with monkeypatch.context() as patched, pytest.raises(Cut):
        patched.setattr("harness.launching.again.bring_home", cut)
        rerun(trial.id, here, QUIET, Inline())
    known, _ = find(trial.id, here)
    assert (known.state, len(known.aside)) == ("new", 1)
    assert newest_journal(here.folder / f"{trial.id}.superseded-1", trial.id).done
    rerun(trial.id, here, QUIET, Inline())
    assert _states(here)[trial.id] == "recorded"


def test_what_differs_is_named(one, here):
    run(one, here, QUIET)
    history = newest_journal(here.folder / one.trials[0].id, one.trials[0].id)
    last = history.epochs[-1]
    metrics = {**last.metrics, "test/error": 1.0, "time/train_s": 99.0}
    other = history.model_copy(update={"epochs": (*history.epochs[:-1], last.model_copy(update={"metrics": metrics}))})
    assert difference(history, other) == f"epoch 2: test/error was {last.metrics['test/error']!r}, is 1.0"
    shorter = history.model_copy(update={"epochs": history.epochs[:-1]})
    assert difference(history, shorter) == "epoch 2 was measured before alone"


def test_discarded_trials_are_trained_anew_and_nothing_is_deleted(one, quick_study, here):
    run(one, here, QUIET)
    run(quick_study(seeds=[100], name="other", execution={"checkpoint_seconds": 0}), here, QUIET)
    ids = [trial.id for trial in one.trials[:2]]
    content = sorted(_files(here.home).values())
    (first, _) = discard([ids[0][:6], ids[1]], "the\nfan was off", here).values()
    assert "discarded (before: recorded)" in first and first.endswith(("quick, other", "other, quick"))
    assert all(value in sorted(_files(here.home).values()) for value in content)
    states = _states(here)
    assert [states[trial.id] for trial in one.trials] == ["new", "new", "recorded", "recorded"]
    known, trials = find(ids[0], here)
    assert known.note == "discarded: the fan was off"
    assert {old.state for old in trials.aside_of("quick")} == {"discarded"}
    assert len(collect("quick", here)[0].missing) == 2
    (again,) = discard([ids[0]], "again", here).values()
    assert "nothing to do" in again and "the fan was off" in again
    assert run(one, here, QUIET).trained == 2
    assert set(_states(here).values()) == {"recorded"}


def test_a_discard_that_is_refused_does_nothing(one, here):
    run(one, here, QUIET)
    before, first = _files(here.home), one.trials[0].id
    for ids, reason, says in (
        ([first, "0" * 12], "why", "no trial begins"),
        ([first], " \n", "needs a reason"),
        ([first], "x" * 501, "501 characters"),
    ):
        with pytest.raises(HarnessError, match=says):
            discard(ids, reason, here)
    with Lock(here.record("quick"), "harness run quick")(), pytest.raises(HarnessError, match="harness run quick"):
        discard([first], "why", here)
    assert _files(here.home) == before


def test_a_trial_that_never_began(one, quick_study, here):
    run(one, here, QUIET)
    record = here.record("quick")
    record.prepare(quick_study(seeds=[100, 101]))
    new = quick_study(seeds=[101]).trials[0]
    known, _ = find(new.id, here)
    assert (known.state, known.epoch, known.at, list(events(known))) == ("new", 0, 0, [])
    with pytest.raises(HarnessError, match="never began"):
        discard([new.id], "why", here)
    assert rerun(new.id, here, QUIET, Inline()).outcome.trained == 1
    assert _states(here)[new.id] == "recorded"


def test_gc_frees_tensors_and_loses_nothing(one, here):
    run(one, here, QUIET)
    results, journals = collect("quick", here)[0].epochs, {}
    unfinished = one.trials[3]
    folder = here.folder / unfinished.id
    folder.remove(checkpoints(folder)[0].name)
    half = folder.read(checkpoints(folder)[0].name)
    for trial in one.trials[:3]:
        journals[trial.id] = newest_journal(here.folder / trial.id, trial.id)
    before = _files(here.home)

    would = gc(["quick"], here, dry_run=True)
    assert _files(here.home) == before
    freed = gc(["quick"], here)
    assert freed == would and freed.bytes > 0
    size = sum(map(len, before.values())) - sum(map(len, _files(here.home).values()))
    assert freed.bytes == size
    for trial, journal in journals.items():
        assert newest_journal(here.folder / trial, trial) == journal
        assert len(checkpoints(here.folder / trial)) == 1
    assert folder.read(checkpoints(folder)[0].name) == half
    assert gc(["quick"], here).bytes == 0
    if here.tracking_uri is None:
        assert collect("quick", here)[0].epochs.equals(results)
    # A history without tensors is as good as one with them to everybody who goes on from it.
    outcome = run(one, here, QUIET)
    assert (outcome.trained, outcome.failed) == (0 if here.tracking_uri is None else 1, {})
    assert collect("quick", here)[0].missing == []


def test_a_job_on_a_history_without_tensors_is_done(one, here):
    from harness.launching.job import Job, attempt
    from harness.specs import Execution, Resources

    run(one, here, QUIET)
    gc((), here)
    trial = one.trials[0]
    job = Job(trial, Execution(), Resources(), here.folder / trial.id, "", "", "x", False, (8, 8), "")
    (last,) = attempt(job)
    assert (last.outcome, last.epoch) == ("finished", 2)


def test_gc_of_what_was_put_aside(one, here):
    run(one, here, QUIET)
    trial = one.trials[0]
    discard([trial.id], "why", here)
    freed = gc(["quick"], here)
    assert f"{trial.id}.superseded-1" in {tidied.folder for tidied in freed.folders["quick"]}
    (old,) = trials_of(["quick"], here)[0].aside_of("quick")
    assert old.journal.done and old.why.reason == "discarded: why"


def test_gc_leaves_what_it_cannot_read(one, here):
    run(one, here, QUIET)
    trial, other = one.trials[0], one.trials[1]
    folder = here.folder / trial.id
    newest = checkpoints(folder)[0]
    folder.write(newest.name, folder.read(newest.name)[:1000])
    stray = here.folder / other.id
    stray.write(checkpoints(stray)[0].name, (here.folder / one.trials[2].id).read(newest.name))
    before = {name: folder.read(name) for name in folder.names()}
    freed = gc(["quick"], here)
    left = {tidied.trial: tidied.left for tidied in freed.folders["quick"] if tidied.left}
    assert set(left) == {trial.id, other.id} and "not a readable archive" in left[trial.id]
    assert {name: folder.read(name) for name in folder.names()} == before
    known = {k.id: k for k in trials_of(["quick"], here)[0].of("quick")}
    assert "is damaged" in known[trial.id].note and "of trial" in known[other.id].note


def test_gc_while_somebody_is_at_it(one, here):
    run(one, here, QUIET)
    renamed = one.experiment.model_copy(update={"name": "other"})
    before = _files(here.home)
    with Lock(here.record("quick"), "harness run quick")():
        with pytest.raises(HarnessError, match="holds this experiment"):
            gc(["quick"], here)
        assert list(gc((), here).skipped) == ["quick"]
        assert gc(["quick"], here, dry_run=True).bytes > 0
        # Also through an experiment that shares its trials.
        here.record("other").prepare(one.model_copy(update={"experiment": renamed}))
        assert set(gc((), here).skipped) == {"quick", "other"}
    assert _files(here.home) == before


def test_nothing_is_there(here):
    assert trials_of((), here)[0].records == {}
    with pytest.raises(HarnessError, match="no trial begins"):
        find("abcdef", here)
    with pytest.raises(HarnessError, match="no experiment 'quick' is recorded"):
        trials_of(["quick"], here)
    with pytest.raises(HarnessError, match="not the name"):
        trials_of(["../quick"], here)
    assert gc((), here).bytes == 0
    assert not here.home.exists()


def test_an_experiment_that_cannot_be_read_hides_no_other(one, quick_study, tmp_path):
    here = Settings(home=tmp_path / "home", tracking_uri="none", launcher="inline", reports=tmp_path / "reports")
    run(one, here, QUIET)
    (here.home / "studies" / "bad.json").write_text(json.dumps({"no": "study"}))
    trials, troubles = trials_of((), here)
    assert (list(trials.records), list(troubles)) == (["quick"], ["bad"])


def test_on_a_storage_that_is_no_directory(one, tmp_path):
    place = f"memory://depthbench-{tmp_path.name}"
    here = Settings(tmp_path / "home", "none", "inline", reports=tmp_path / "reports", storage=place)
    run(one, here, QUIET)
    trial = one.trials[0].id
    assert gc((), here).bytes > 0
    assert difference(*(lambda d: (d.before, d.now))(rerun(trial, here, QUIET, Inline()))) == ""
    discard([trial], "why", here)
    assert _states(here)[trial] == "new"
    assert Folder.at(place).names().count(f"{trial}.superseded-2") == 1


def test_a_rerun_needs_the_data_as_it_was(quick_study, image_folder, here, tmp_path):
    root = image_folder()
    data = {"name": "imagefolder", "root": str(root), "image_size": 8}
    study = quick_study(data=data, recipe={"epochs": 1, "batch": 16, "lr": 0.05}, seeds=[100], contrasts=None)
    run(study, here, QUIET)
    trial = study.trials[0].id
    moved = root.rename(tmp_path / "moved")
    with pytest.raises(HarnessError):
        rerun(trial, here, QUIET, Inline())
    done = rerun(trial, here, QUIET, Inline(), data_root=moved)
    assert difference(done.before, done.now) == ""
    next(moved.rglob("*.png")).unlink()
    with pytest.raises(HarnessError, match="fingerprint"):
        rerun(trial, here, QUIET, Inline(), data_root=moved)
    assert find(trial, here)[0].state == "recorded"
