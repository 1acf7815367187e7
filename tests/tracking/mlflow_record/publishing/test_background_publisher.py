"""The thread that sends a trial's history: in time, once, and to the end."""

import threading

import pytest
from tracking.helpers import make_history, wait_until

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import Epoch
from harness.tracking.mlflow_record.publishing.background_publisher import BackgroundPublisher


def test_background_publisher_sends_the_newest_history_and_ends_the_run(record, study):
    trial = study.trials[0]
    publisher = BackgroundPublisher(record.uri, record.create_trial_run(study, trial))
    publisher.publish(make_history(trial, epochs=1, outcome=TrialStatus.RUNNING))
    publisher.publish(make_history(trial))
    assert publisher.close(60), publisher.last_error
    record.refresh_runs()
    assert record.read_histories([trial.id]) == [make_history(trial)]


def test_background_publisher_without_a_store_gives_up_in_time_and_keeps_the_error(study):
    threads = set(threading.enumerate())
    publisher = BackgroundPublisher("http://127.0.0.1:9", "0" * 32)
    (thread,) = set(threading.enumerate()) - threads
    publisher.publish(make_history(study.trials[0]))
    wait_until(lambda: publisher.last_error)
    assert not publisher.close(0.1)
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.parametrize("last_epochs", [0, 2], ids=["within the first epoch", "after the first epoch"])
def test_background_publisher_of_a_resumed_trial_does_not_send_stored_epochs_again(sqlite_record, study, last_epochs):
    """An epoch that was trained again after damage to its checkpoint has another time; the first one stays alone."""
    first = make_history(study.trials[0], epochs=2, outcome=TrialStatus.RUNNING)
    # Before the first update only some metrics are measured.
    initial = Epoch(epoch=0, at=first.epochs[0].at - 1001, metrics={"grad/first": 3.0})
    first = first.model_copy(update={"epochs": (initial, *first.epochs)})
    run_id = sqlite_record.create_trial_run(study, study.trials[0])
    sqlite_record.publish_history(run_id, first)
    repeated = tuple(epoch.model_copy(update={"at": epoch.at + 5}) for epoch in first.epochs)
    third = make_history(study.trials[0], epochs=3).epochs[2]
    publisher = BackgroundPublisher(sqlite_record.uri, run_id)
    # The checkpoint that was left is older than the damaged one, whose epochs are in the store.
    publisher.publish(first.model_copy(update={"epochs": repeated[:last_epochs]}))
    wait_until(lambda: sqlite_record.client.get_run(run_id).info.status == "RUNNING")
    publisher.publish(first.model_copy(update={"epochs": (*repeated, third), "outcome": TrialStatus.FINISHED}))
    assert publisher.close(30), publisher.last_error
    rows = sqlite_record.client.get_metric_history(run_id, "train/error")
    assert [(row.step, row.timestamp) for row in rows] == [(e.epoch, e.at) for e in (*first.epochs[1:], third)]
    gradients = sqlite_record.client.get_metric_history(run_id, "grad/first")
    assert [(row.step, row.timestamp) for row in gradients] == [(e.epoch, e.at) for e in (*first.epochs, third)]
