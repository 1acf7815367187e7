"""Claims: only the newest attempt of a trial writes, and only in the storage of its run."""

import shutil
import subprocess
import sys
from dataclasses import replace

from execution.interruptions import epochs_without_times, run_task, train_task

from harness.errors import HarnessError
from harness.execution.attempts import Attempt, read_attempts
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.io.storage_mark import ensure_mark
from harness.processes import Process
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import read_newest_history


def test_attempt_replaced_by_a_newer_one_writes_nothing_more(make_task):
    """As a host that was cut off and comes back."""
    old = make_task()
    running = run_task(old)
    next(running)
    next(run_task(make_task(folder=old.folder)))
    names = old.folder.list_names()
    (last,) = running
    assert last.status is TrialStatus.SUPERSEDED
    assert "attempt 2 has taken this trial over" in last.message
    assert old.folder.list_names() == names
    assert train_task(make_task(folder=old.folder)) == train_task(make_task())


def test_attempt_whose_folder_was_archived_writes_nothing_more(make_task):
    old = make_task()
    running = run_task(old)
    next(running)
    old.folder.rename(Folder(f"{old.folder}.superseded-1"))
    new = make_task(folder=old.folder)
    next(run_task(new))
    names = new.folder.list_names()
    (last,) = running
    assert (last.status, "was archived" in last.message) == (TrialStatus.SUPERSEDED, True)
    assert new.folder.list_names() == names


def test_attempt_whose_folder_was_deleted_goes_on_in_a_new_one(make_task):
    task = make_task()
    running = run_task(task)
    next(running)
    shutil.rmtree(task.folder.path)
    assert [*running][-1].status is TrialStatus.FINISHED
    assert epochs_without_times(read_newest_history(task.folder, task.trial.id)) == train_task(make_task())


def test_claim_of_a_trial_that_another_run_trains_leaves_it_to_that_run(make_task):
    """Experiments share trials, and each has a lock of its own."""
    task = make_task()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        other = Process.local(process.pid)
        running = Attempt(number=1, launch="theirs", token="x", process=other, started=0)
        task.folder.write_new(running.name, running.to_json())
        (progress,) = run_task(task)
        process.communicate()
    assert (progress.status, progress.message) == (TrialStatus.SUPERSEDED, f"another run trains it: {other}")
    assert train_task(make_task(folder=task.folder)) == train_task(make_task())


def test_claim_in_another_storage_than_the_drivers_fails_without_writing(make_task):
    task = make_task()
    mark = ensure_mark(task.folder.parent)
    (refused,) = run_task(replace(task, storage_mark="of the driver's storage"))
    assert refused.status is TrialStatus.FAILED and refused.wrong_storage
    assert "does not see the checkpoints" in refused.message
    assert not task.folder.list_names()
    *_, last = run_task(replace(task, storage_mark=mark))
    assert last.status is TrialStatus.FINISHED


def test_claim_on_a_full_disk_is_tried_again(make_task, monkeypatch):
    original, failures = Folder.write_new, iter([True, False])

    def write_new(self, name, content):
        if next(failures, False):
            raise HarnessError("the disk is full", where=name)
        return original(self, name, content)

    monkeypatch.setattr(Folder, "write_new", write_new)
    assert train_task(make_task())[-1][0] == 2


def test_claim_removes_the_partial_files_of_a_killed_process(make_task):
    task = make_task()
    task.folder.write(".checkpoint-0001-000001-00000000.zip.abc", b"half")
    train_task(task)
    assert not [name for name in task.folder.list_names() if name.startswith(".")]
    assert len(list_checkpoints(task.folder)) == 2


def test_claim_after_an_unreadable_attempt_file_takes_the_next_number(make_task):
    task = make_task()
    task.folder.write("attempt-0007.json", b"{")
    train_task(task)
    assert [attempt.number for attempt in read_attempts(task.folder)] == [8]
