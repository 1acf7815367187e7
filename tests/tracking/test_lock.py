"""The lock of an experiment: one holder at a time, and a lease that a dead holder cannot renew."""

import itertools
import subprocess
import sys
import threading

import pytest

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.processes import Process
from harness.tracking import lock
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.lock import ExperimentLock, Lease


@pytest.fixture
def store(tmp_path):
    return CheckpointRecord(tmp_path, "quick", Folder.from_location(tmp_path / "trials"))


@pytest.fixture
def _short_times(monkeypatch):
    monkeypatch.setattr(lock, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(lock, "WATCH_SECONDS", 0.5)


def format_lease(process, beat=0):
    lease = Lease(token="theirs", owner="ada", process=process, command="harness run quick", since=0, beat=beat)
    return lease.model_dump_json()


REMOTE_PROCESS = Process(host="elsewhere", pid=1, born="1")


def test_hold_while_another_holds_it_raises_and_names_the_holder(store):
    with ExperimentLock(store, "harness run quick").hold(), pytest.raises(HarnessError) as refused:
        ExperimentLock(store, "harness sync quick").hold().__enter__()
    assert "'harness run quick', process" in str(refused.value)
    assert "0 seconds" in str(refused.value)


def test_hold_after_the_holder_released_it_succeeds(store):
    with ExperimentLock(store, "harness run quick").hold():
        pass
    with ExperimentLock(store, "harness sync quick").hold():
        pass
    assert store.read_lease() == ""


def test_hold_after_the_holder_died_on_this_host_succeeds(store):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = Process.current().model_copy(update={"pid": int(ended.stdout), "born": "12345"})
    store.write_lease(format_lease(dead))
    with ExperimentLock(store, "x").hold():
        assert "theirs" not in store.read_lease()


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param(REMOTE_PROCESS, id="on another host"),
        pytest.param(Process.current().model_copy(update={"system": "another boot"}), id="before a reboot"),
    ],
)
@pytest.mark.usefixtures("_short_times")
def test_hold_where_a_watched_lease_is_not_renewed_succeeds(store, holder):
    store.write_lease(format_lease(holder))
    with ExperimentLock(store, "x").hold():
        assert "theirs" not in store.read_lease()


@pytest.mark.usefixtures("_short_times")
def test_hold_where_a_watched_lease_is_renewed_raises(store, monkeypatch):
    beats = itertools.count()
    monkeypatch.setattr(store, "read_lease", lambda: format_lease(REMOTE_PROCESS, next(beats)))
    with pytest.raises(HarnessError, match="process 1 on elsewhere"):
        ExperimentLock(store, "x").hold().__enter__()


@pytest.mark.usefixtures("_short_times")
def test_holder_whose_lease_was_replaced_reports_the_loss_and_leaves_the_new_lease(store):
    is_lost = threading.Event()
    with ExperimentLock(store, "x", on_loss=lambda reason: is_lost.set()).hold() as held:
        store.write_lease(format_lease(REMOTE_PROCESS))
        assert is_lost.wait(30)
        assert "ada has held this experiment" in held.loss
        with pytest.raises(HarnessError, match="ada has held this experiment"):
            held.require_held()
    assert "theirs" in store.read_lease()


@pytest.mark.usefixtures("_short_times")
def test_holder_renews_its_lease(store):
    written, is_renewed = store.write_lease, threading.Event()

    def write_lease(content):
        written(content)
        if content and Lease.model_validate_json(content).beat > 1:
            is_renewed.set()

    store.write_lease = write_lease
    with ExperimentLock(store, "x").hold():
        assert is_renewed.wait(30)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"token": 1}'])
def test_hold_where_the_lease_cannot_be_read_succeeds(store, content):
    store.write_lease(content)
    with ExperimentLock(store, "x").hold():
        pass
