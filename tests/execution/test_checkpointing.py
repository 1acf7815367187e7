"""Checkpoints that are damaged, of another trial, or cannot be written."""

import json

import pytest
from execution.interruptions import (
    Killed,
    after_calls,
    epochs_without_times,
    kill,
    last_progress,
    run_task,
    stop,
    train_task,
)

from harness.errors import HarnessError
from harness.execution import checkpointing
from harness.execution.attempts import read_attempts
from harness.execution.checkpointing import merge_provenance
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import HISTORY_FILE, read_newest_history


@pytest.fixture
def fail_writes(monkeypatch):
    """Let writing a file fail, as on a full disk, whenever ``fails(folder, name)`` is true for a checkpoint."""
    original = Folder.write

    def patch(fails):
        def write(self, name, content):
            if name.startswith("checkpoint") and fails(self, name):
                raise HarnessError("the disk is full", where=name)
            original(self, name, content)

        monkeypatch.setattr(Folder, "write", write)

    return patch


@pytest.fixture
def killed_task(make_task):
    """Return a task whose process was killed after it had saved some steps."""
    task = make_task()
    with pytest.raises(Killed):
        list(run_task(task, after_calls(7, kill)))
    return task


def test_restore_with_a_truncated_checkpoint_uses_the_one_before_and_notes_it(make_task, killed_task):
    newest = list_checkpoints(killed_task.folder)[0]
    path = killed_task.folder.path / newest.name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    progress = list(run_task(killed_task))
    assert f"{newest.name} is damaged" in progress[-1].message
    assert read_attempts(killed_task.folder)[-1].epoch == newest.epoch
    history = read_newest_history(killed_task.folder, killed_task.trial.id)
    assert epochs_without_times(history) == train_task(make_task())


def test_restore_with_damaged_tensors_notes_it(killed_task):
    path = killed_task.folder.path / list_checkpoints(killed_task.folder)[0].name
    content = bytearray(path.read_bytes())
    content[content.index(b"state.pt") + 2000] ^= 0xFF
    path.write_bytes(content)
    assert "Bad CRC-32 for file 'state.pt'" in list(run_task(killed_task))[-1].message


def test_restore_with_a_checkpoint_of_another_trial_fails_and_keeps_it(make_task):
    first, second = make_task(), make_task({"lr": 0.02})
    train_task(first)
    name = list_checkpoints(first.folder)[0].name
    second.folder.write(name, first.folder.read(name))
    (progress,) = run_task(second)
    assert progress.status is TrialStatus.FAILED
    assert first.trial.id in progress.message and second.trial.id in progress.message
    assert second.folder.read(name) == first.folder.read(name)


def test_restore_with_a_checkpoint_of_a_newer_version_fails_and_keeps_it(make_task):
    task = make_task()
    content = pack_archive({HISTORY_FILE: json.dumps({"format": 99, "id": task.trial.id}).encode()})
    name = Checkpoint(1, 1).name
    task.folder.write(name, content)
    (progress,) = run_task(task)
    assert "format 99" in progress.message and "Upgrade" in progress.message
    assert task.folder.read(name) == content


def test_save_that_fails_now_and_then_costs_nothing(make_task, fail_writes, monkeypatch):
    """Between the ends of a trial the training goes on; its last checkpoint is tried again."""
    failures = iter([False, True] * 100)
    fail_writes(lambda folder, name: next(failures))
    task = make_task()
    epochs = train_task(task)
    (note,) = read_attempts(task.folder)[-1].notes
    assert "a checkpoint could not be written" in note
    monkeypatch.undo()
    assert epochs == train_task(make_task())


def test_save_of_the_last_checkpoint_that_keeps_failing_fails_the_trial_until_the_next_run(
    make_task, fail_writes, monkeypatch
):
    monkeypatch.setattr(checkpointing, "SAVE_SECONDS", 0)
    fail_writes(lambda folder, name: int(name.split("-")[2]) == 2)
    task = make_task()
    (*_, last) = run_task(task)
    assert (last.status, "the disk is full" in last.message) == (TrialStatus.FAILED, True)
    monkeypatch.undo()
    assert train_task(task) == train_task(make_task())


def test_save_of_the_last_checkpoint_that_keeps_failing_fails_one_seed_of_an_ensemble(
    make_ensemble, fail_writes, monkeypatch
):
    monkeypatch.setattr(checkpointing, "SAVE_SECONDS", 0)
    ensemble = make_ensemble(execution={"checkpoint_seconds": 1000})
    fail_writes(lambda folder, name: folder == ensemble.tasks[2].folder)
    ended = last_progress(ensemble)
    assert [progress.status for progress in ended] == [TrialStatus.FINISHED, TrialStatus.FINISHED, TrialStatus.FAILED]
    assert "the disk is full" in ended[2].message


def test_stop_on_a_full_disk_reports_where_the_trial_will_resume(make_task, fail_writes, monkeypatch):
    monkeypatch.setattr(checkpointing, "STOP_SECONDS", 0)
    fail_writes(lambda folder, name: "-000001-" in name)
    task = make_task()
    (*_, last) = run_task(task, after_calls(13, stop))
    assert last.status is TrialStatus.INTERRUPTED
    assert last.message.startswith("at epoch 0, step 3; a checkpoint could not be written (the disk is full)")
    monkeypatch.undo()
    assert train_task(task) == train_task(make_task())


def test_merge_provenance_marks_shared_times_and_lists_changes():
    before = {"shared": False, "device": "A", "software": "x", "memory_format": "m", "kernels": "k", "threads": 1}
    merged = merge_provenance(before, {**before, "shared": True, "device": "B"})
    assert merged["shared"] is True
    assert merged["device"] == "A, then B"
    assert merged["software"] == "x"
