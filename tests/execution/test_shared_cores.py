"""Trials that share their cores with other programs: their seconds are marked, and their results are the same."""

import pytest
from execution.interruptions import epochs_without_times, run_task
from training.busy_core import busy_process_on_this_core, needs_waiting_times

from harness.tracking.history import read_newest_history
from harness.tracking.metrics import WAITING_SHARE
from harness.training import timers


def train(task):
    list(run_task(task))
    return read_newest_history(task.folder, task.trial.id)


@needs_waiting_times
def test_trial_beside_a_busy_process_is_marked_as_shared_and_has_the_same_results(make_task, monkeypatch):
    with busy_process_on_this_core():
        beside = train(make_task(recipe={"epochs": 4}))
    assert beside.provenance["shared"] is True
    assert beside.epochs[-1].metrics[WAITING_SHARE] > 0.2

    # As on a machine without other programs: every thread runs whenever it can.
    original = timers.read_thread_times
    monkeypatch.setattr(timers, "read_thread_times", lambda: {i: (t[0], 0) for i, t in original().items()})
    alone = train(make_task(recipe={"epochs": 4}))
    assert alone.provenance["shared"] is False
    assert alone.epochs[-1].metrics[WAITING_SHARE] == 0
    assert alone.id == beside.id
    assert epochs_without_times(alone) == epochs_without_times(beside)


@pytest.mark.parametrize("share", [{}, {1: (0, 0)}], ids=["no reading", "no time"])
def test_trial_on_a_system_that_does_not_report_waiting_is_not_marked(make_task, monkeypatch, share):
    monkeypatch.setattr(timers, "read_thread_times", lambda: share)
    history = train(make_task())
    assert history.provenance["shared"] is False
    assert WAITING_SHARE not in history.epochs[-1].metrics
