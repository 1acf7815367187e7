"""One driver per experiment: who comes second is told who holds it; a dead holder holds nothing."""

import subprocess
import sys

import pytest

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.processes import Process
from harness.tracking import lock as locks
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.lock import ExperimentLock, Lease


@pytest.fixture
def register(tmp_path):
    return CheckpointRecord(tmp_path, "quick", Folder.from_location(tmp_path / "trials"))


def _lease(process, beat=0):
    return Lease(token="theirs", owner="ada", process=process, command="harness run quick", since=0, beat=beat)


def test_the_second_is_told_who_holds_it(register):
    with ExperimentLock(register, "harness run quick").hold(), pytest.raises(HarnessError) as refused:
        ExperimentLock(register, "harness sync quick").hold().__enter__()
    assert "'harness run quick', process" in str(refused.value)
    assert "0 seconds" in str(refused.value)
    with ExperimentLock(register, "harness sync quick").hold():
        pass
    assert register.read_lease() == ""


def test_a_dead_process_of_this_host_holds_nothing(register):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = Process.current().model_copy(update={"pid": int(ended.stdout), "born": "12345"})
    register.write_lease(_lease(dead).model_dump_json())
    with ExperimentLock(register, "x").hold():
        assert "theirs" not in register.read_lease()


def test_a_process_of_the_boot_before_is_watched_and_holds_nothing(register, monkeypatch):
    """A machine that lost its power, a container that was started again: the name is the same, the process is not."""
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(locks, "WATCH_SECONDS", 0.5)
    before = Process.current().model_copy(update={"system": "another boot"})
    register.write_lease(_lease(before).model_dump_json())
    with ExperimentLock(register, "x").hold():
        assert "theirs" not in register.read_lease()


def test_another_host_is_watched_not_timed(register, monkeypatch):
    """Clocks of two machines are not compared: a lease that is renewed has a holder, one that is not has none."""
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(locks, "WATCH_SECONDS", 0.5)
    there = Process(host="elsewhere", pid=1, born="1")
    register.write_lease(_lease(there).model_dump_json())
    with ExperimentLock(register, "x").hold():
        pass
    beats = iter(range(10_000))
    monkeypatch.setattr(register, "lease", lambda: _lease(there, next(beats)).model_dump_json())
    with pytest.raises(HarnessError, match="process 1 on elsewhere"):
        ExperimentLock(register, "x").hold().__enter__()


def test_a_holder_whose_lock_was_taken_knows(register, monkeypatch):
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.05)
    with ExperimentLock(register, "x").hold() as lock:
        register.write_lease(_lease(Process(host="elsewhere", pid=1)).model_dump_json())
        for _ in range(100):
            if lock.loss:
                break
            locks.time.sleep(0.05)
        assert "ada holds this experiment" in lock.loss
    assert "theirs" in register.read_lease(), "another's lease is left alone"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"token": 1}'])
def test_a_lease_that_says_nothing_is_none(register, content):
    register.write_lease(content)
    with ExperimentLock(register, "x").hold():
        pass
