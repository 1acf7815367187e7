"""One trial through stops, deaths and damage: what comes out is what an undisturbed one gives, bit for bit."""

import errno
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from harness.errors import HarnessError
from harness.execution import runner as jobs
from harness.execution.attempts import MOST_DEATHS, Attempt, read_attempts
from harness.execution.runner import TrialGroup, run_group
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder
from harness.io.storage_mark import ensure_mark
from harness.processes import Process, _born
from harness.specs import Execution, Recipe, Resources, Variant
from harness.tracking.history import HISTORY_FILE, read_newest_history

EVERY_STEP = {"checkpoint_seconds": 0}
FEATURES = {
    "plain": {},
    "schedule and warm-up": {"schedule": "step", "warmup_epochs": 1},
    "one-cycle": {"schedule": "one-cycle"},
    "augmentation": {"augment": "crop-flip", "crop_padding": 1},
    "mixed precision": {"precision": "bf16"},
    "adamw, clipping, smoothing": {"optimiser": "adamw", "lr": 0.01, "clip_grad_norm": 0.5, "label_smoothing": 0.1},
    "micro-batches": {"micro_batch": 16},
    "nesterov": {"nesterov": True},
    "stochastic depth": {"micro_batch": 16, "variant": {"stochastic_depth": 0.5}},
}


class Death(BaseException):
    """Ends a trial between two steps without a word, as kill -9 would."""


@pytest.fixture
def job(quick_study, tmp_path):
    """A job on 256 digits, 8 steps in 2 epochs, with its recipe or execution changed; each in a folder of its own."""
    count = iter(range(1000))

    def make(recipe=None, execution=EVERY_STEP, launch="one", folder=None, data=None):
        study = quick_study()
        trial = study.trials[4]
        fields = {**trial.recipe.model_dump(), **(recipe or {})}
        variant = Variant(**{**trial.variant.model_dump(), **fields.pop("variant", {})})
        trial = trial.model_copy(update={"recipe": Recipe(**fields), "variant": variant})
        folder = folder or Folder.from_location(tmp_path / f"job-{next(count)}" / trial.id)
        return TrialGroup(trial, Execution(**execution), Resources(), folder, "", "", launch, False, (8, 8), "")

    return make


def _after(calls, what):
    """A ``stopping`` that does something after n calls: one at the start, then two a step where each is saved."""
    left = iter(range(calls))

    def stopping():
        return False if next(left, None) is not None else what()

    return stopping


def _die():
    raise Death


def _untimed(history):
    return [
        (
            e.epoch,
            {key: value for key, value in e.metrics.items() if not key.startswith("time/")}
            | {"layers": history.layers.get(e.epoch)},
        )
        for e in history.epochs
    ]


def _finished(job):
    (*_, last) = run_group(job)
    assert last.outcome in ("finished", "diverged"), last
    return _untimed(read_newest_history(job.folder, job.trial.id))


@pytest.mark.parametrize("feature", FEATURES)
def test_killed_at_any_step_it_ends_the_same(job, feature):
    recipe = FEATURES[feature]
    whole = _finished(job(recipe))
    # One folder, killed again and again, each time some calls further on.
    disturbed = job(recipe)
    for calls in (3, 4, 5, 6):
        with pytest.raises(Death):
            list(run_group(disturbed, _after(calls, _die)))
    assert _finished(disturbed) == whole
    assert [e for e, _ in whole] == [0, 1, 2]
    starts = [(a.epoch, a.step) for a in read_attempts(disturbed.folder)]
    assert starts == sorted(starts) and starts[-1] > (0, 1), starts


@pytest.mark.parametrize("calls", range(1, 12))
def test_stopped_anywhere_it_goes_on(job, calls):
    """As Ctrl-C, SIGTERM and a time limit do; also in the middle of an evaluation."""
    never = {"checkpoint_seconds": 1000}
    stopped = job(execution=never)
    (*_, last) = run_group(stopped, _after(calls, lambda: True))
    assert last.outcome == "stopped"
    assert len(list_checkpoints(stopped.folder)) <= 1
    assert read_attempts(stopped.folder)[-1].ended == "stopped"
    assert _finished(stopped) == _finished(job(execution=never))


def test_a_trial_that_has_not_begun_does_not_begin(job):
    waiting = job()
    assert [p.outcome for p in run_group(waiting, lambda: True)] == ["stopped"]
    assert waiting.folder.list_names() == []


def test_streamed_images_resume_in_the_middle_of_an_epoch(image_folder, quick_study, tmp_path):
    study = quick_study(
        data={"name": "imagefolder", "root": str(image_folder()), "image_size": 8},
        recipe={"epochs": 2, "batch": 16, "lr": 0.05, "augment": "resized-crop-flip"},
        contrasts=None,
    )
    trial = study.trials[0]

    def make(name):
        folder = Folder.from_location(tmp_path / name / trial.id)
        return TrialGroup(trial, Execution(**EVERY_STEP), Resources(), folder, "", "", "one", False, (8, 8), "")

    disturbed = make("disturbed")
    for calls in (3, 5, 3):
        with pytest.raises(Death):
            list(run_group(disturbed, _after(calls, _die)))
    assert read_attempts(disturbed.folder)[-1].step > 0
    assert _finished(disturbed) == _finished(make("whole"))


def test_a_damaged_newest_checkpoint_falls_back_and_says_so(job):
    disturbed = job()
    with pytest.raises(Death):
        list(run_group(disturbed, _after(7, _die)))
    newest = list_checkpoints(disturbed.folder)[0]
    path = disturbed.folder.path / newest.name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    progress = list(run_group(disturbed))
    assert f"{newest.name} is damaged" in progress[-1].message
    assert read_attempts(disturbed.folder)[-1].epoch == newest.epoch
    assert _untimed(read_newest_history(disturbed.folder, disturbed.trial.id)) == _finished(job())


def test_damaged_tensors_are_noticed(job):
    disturbed = job()
    with pytest.raises(Death):
        list(run_group(disturbed, _after(7, _die)))
    path = disturbed.folder.path / list_checkpoints(disturbed.folder)[0].name
    content = bytearray(path.read_bytes())
    content[content.index(b"state.pt") + 2000] ^= 0xFF
    path.write_bytes(content)
    assert "Bad CRC-32 for file 'state.pt'" in list(run_group(disturbed))[-1].message


def test_a_checkpoint_of_another_trial_is_refused_and_left_alone(job):
    first, second = job(), job({"lr": 0.02})
    _finished(first)
    stray = list_checkpoints(first.folder)[0].name
    second.folder.write(stray, first.folder.read(stray))
    (progress,) = run_group(second)
    assert progress.outcome == "failed"
    assert f"a checkpoint of trial {first.trial.id}, in the folder of trial {second.trial.id}" in progress.message
    assert second.folder.read(stray) == first.folder.read(stray)


def test_a_checkpoint_of_a_newer_version_is_refused_and_left_alone(job):
    newer = job()
    content = pack_archive({HISTORY_FILE: json.dumps({"format": 99, "id": newer.trial.id}).encode()})
    newer.folder.write(Checkpoint(1, 1).name, content)
    (progress,) = run_group(newer)
    assert "written in format 99" in progress.message and "Upgrade" in progress.message
    assert newer.folder.read(Checkpoint(1, 1).name) == content
    with pytest.raises(HarnessError, match="Upgrade"):
        read_newest_history(newer.folder, newer.trial.id)


def test_a_full_disk_costs_nothing_while_there_is_time(job, monkeypatch):
    """Every other write fails; between the ends of a trial it trains on, and at its end it tries again."""
    original = jobs.Folder.write
    fails = iter([False, True] * 100)

    def full(self, name, content):
        if name.startswith("checkpoint") and next(fails):
            raise HarnessError(f"cannot write: {errno.errorcode[errno.ENOSPC]}", where=name)
        original(self, name, content)

    monkeypatch.setattr(jobs.Folder, "write", full)
    disturbed = job()
    rows = _finished(disturbed)
    (note,) = read_attempts(disturbed.folder)[-1].notes
    assert "a checkpoint could not be written" in note
    monkeypatch.undo()
    assert rows == _finished(job())


def test_a_disk_that_stays_full_fails_the_trial_which_goes_on_later(job, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 0)
    original = jobs.Folder.write

    def full(self, name, content):
        if name.startswith("checkpoint") and int(name.split("-")[2]) == 2:
            raise HarnessError("cannot write: No space left on device", where=name)
        original(self, name, content)

    monkeypatch.setattr(jobs.Folder, "write", full)
    disturbed = job()
    (*_, last) = run_group(disturbed)
    assert (last.outcome, "No space left" in last.message) == ("failed", True)
    monkeypatch.undo()
    assert _finished(disturbed) == _finished(job())


def test_an_attempt_that_was_replaced_lets_go(job):
    """A host that was cut off comes back: it writes nothing any more."""
    old = job()
    running = run_group(old, lambda: False)
    next(running)
    new = job(folder=old.folder)
    next(run_group(new))
    written = old.folder.list_names()
    (last,) = running
    assert last.outcome == "superseded"
    assert "attempt 2 has taken this trial over" in last.message
    assert old.folder.list_names() == written
    assert _finished(job(folder=old.folder)) == _finished(job())


def test_two_runs_do_not_train_one_trial(job):
    """Experiments share trials, and a lock is of one experiment: who comes second leaves it to the first."""
    first = job()
    sleeping = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    other = Process.this().model_copy(update={"pid": sleeping.pid, "born": _born(sleeping.pid)})
    busy = Attempt(number=1, launch="theirs", token="x", process=other, started=0)
    first.folder.write_new(busy.name, busy.model_dump_json().encode())
    (progress,) = run_group(first)
    assert (progress.outcome, progress.message) == ("superseded", f"another run trains it: {other}")
    sleeping.communicate()
    assert _finished(job(folder=first.folder)) == _finished(job())


def test_an_attempt_whose_folder_was_put_aside_lets_go(job):
    old = job()
    running = run_group(old)
    next(running)
    old.folder.rename(Folder(f"{old.folder}.superseded-1"))
    new = job(folder=old.folder)
    next(run_group(new))
    written = new.folder.list_names()
    (last,) = running
    assert (last.outcome, "was put aside" in last.message) == ("superseded", True)
    assert new.folder.list_names() == written


def test_a_folder_that_vanishes_under_a_trial_is_made_again(job):
    disturbed = job()
    running = run_group(disturbed)
    next(running)
    shutil.rmtree(disturbed.folder.path)
    assert [*running][-1].outcome == "finished"
    assert _untimed(read_newest_history(disturbed.folder, disturbed.trial.id)) == _finished(job())


def test_a_stop_on_a_full_disk_says_from_where_it_goes_on(job, monkeypatch):
    monkeypatch.setattr(jobs, "STOP_SECONDS", 0)
    original = jobs.Folder.write

    def full(self, name, content):
        if name.startswith("checkpoint") and "-000001-" in name:
            raise HarnessError("the disk is full", where=name)
        original(self, name, content)

    monkeypatch.setattr(jobs.Folder, "write", full)
    stopped = job()
    (*_, last) = run_group(stopped, _after(13, lambda: True))
    assert last.outcome == "stopped"
    assert last.message.startswith("at epoch 0, step 3; a checkpoint could not be written (the disk is full)")
    monkeypatch.undo()
    assert _finished(stopped) == _finished(job())


def test_a_disk_that_is_full_at_the_start_is_waited_for(job, monkeypatch):
    original = jobs.Folder.write_new
    fails = iter([True, False])

    def full(self, name, content):
        if next(fails, False):
            raise HarnessError("the disk is full", where=name)
        return original(self, name, content)

    monkeypatch.setattr(jobs.Folder, "write_new", full)
    assert _finished(job())[-1][0] == 2


def test_workers_that_die_at_the_same_place_are_given_up_with_a_reason(job):
    """Whatever kills it there, such as the system for memory, would kill it again."""
    dying = job(execution={"checkpoint_seconds": 1000})
    for _ in range(MOST_DEATHS):
        with pytest.raises(Death):
            list(run_group(dying, _after(3, _die)))
    (progress,) = run_group(dying)
    assert progress.outcome == "failed"
    assert f"killed {MOST_DEATHS} times in epoch 1" in progress.message and "memory" in progress.message
    # A user who runs it again has changed something, or wants to see it again.
    assert _finished(job(folder=dying.folder, launch="two"))


def test_deaths_with_progress_between_them_are_forgiven(job):
    dying = job()
    for _ in range(MOST_DEATHS + 2):
        with pytest.raises(Death):
            list(run_group(dying, _after(3, _die)))
    assert "its worker was lost" in list(run_group(dying))[-1].message


def test_the_machine_clock_may_be_set_back(job, monkeypatch):
    clock = iter(range(2_000_000_000, 0, -1000))
    monkeypatch.setattr("harness.execution.runner.time.time", lambda: next(clock))
    last = job()
    _finished(last)
    times = [epoch.at for epoch in read_newest_history(last.folder, last.trial.id).epochs]
    assert times == sorted(times)


def test_half_written_files_of_the_dead_are_tidied(job):
    disturbed = job()
    disturbed.folder.write(".checkpoint-0001-000001-00000000.zip.abc", b"half")
    _finished(disturbed)
    assert not [name for name in disturbed.folder.list_names() if name.startswith(".")]
    assert len(list_checkpoints(disturbed.folder)) == 2


def test_an_attempt_file_that_cannot_be_read_is_no_obstacle(job):
    disturbed = job()
    disturbed.folder.write("attempt-0007.json", b"{")
    _finished(disturbed)
    assert [a.number for a in read_attempts(disturbed.folder)] == [8]


def test_processes_are_told_apart():
    this = Process.this()
    assert not this.gone
    assert this.model_copy(update={"born": "1"}).gone
    assert not this.model_copy(update={"host": "elsewhere", "pid": 1}).gone
    attempt_of_the_dead = Attempt(number=1, launch="x", process=this.model_copy(update={"born": "1"}), started=0)
    assert attempt_of_the_dead.died


def test_memory_that_runs_out_is_no_crash_and_says_what_would_fit(job, monkeypatch):
    import torch

    from harness.models import network

    def too_much(self, x):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(network.Network, "forward", too_much)
    (progress,) = run_group(job())
    assert progress.outcome == "failed"
    assert "64 images at once do not fit" in progress.message
    assert "recipe.micro_batch=32" in progress.message


def test_a_killed_data_worker_is_named(job, monkeypatch):
    from harness.models import network

    def killed(self, x):
        raise RuntimeError("DataLoader worker (pid 4711) is killed by signal: Killed. ")

    monkeypatch.setattr(network.Network, "forward", killed)
    (progress,) = run_group(job())
    assert "a data worker (process 4711)" in progress.message and "killed by the system" in progress.message


def test_a_host_that_sees_another_storage_trains_nothing(job):
    mine = job()
    mark = ensure_mark(mine.folder.parent)
    (refused,) = run_group(replace(mine, mark="of the driver's storage"))
    assert refused.outcome == "failed" and refused.astray and "does not see the checkpoints" in refused.message
    assert not mine.folder.list_names()
    *_, last = run_group(replace(mine, mark=mark))
    assert last.outcome == "finished"
