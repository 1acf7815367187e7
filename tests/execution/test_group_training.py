"""Seeds that train together: each trial has its own history, checkpoint, attempt and end."""

import json
import math
from dataclasses import replace

import pytest
from execution.conftest import SEEDS
from execution.interruptions import (
    epochs_without_times,
    last_progress,
    read_histories,
    run_task,
    train_ensemble,
)

from harness.execution.attempts import read_attempts
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import SEED_GROUPS, find_ensemble_seeds, read_newest_history


def test_ensemble_gives_each_trial_its_own_history_and_attempt(make_ensemble):
    group = make_ensemble()
    epochs = train_ensemble(group)
    assert [[number for number, *_ in trial] for trial in epochs] == [[0, 1, 2]] * 3
    assert len({json.dumps(trial, default=str) for trial in epochs}) == 3
    for task, history in zip(group.tasks, read_histories(group), strict=True):
        assert history.trial.seed == task.trial.seed
        assert find_ensemble_seeds(history) == SEEDS
        assert history.provenance["shared"]
        assert [attempt.end_status for attempt in read_attempts(task.folder)] == [TrialStatus.FINISHED]


def test_ensemble_checkpoint_of_a_trial_holds_only_its_own_tensors(make_ensemble):
    group = make_ensemble()
    train_ensemble(group)
    task = group.tasks[0]
    alone = replace(task, folder=Folder(f"{task.folder}-alone"))
    list(run_task(alone))
    in_ensemble, by_itself = (
        folder.file_size(list_checkpoints(folder)[0].name) for folder in (task.folder, alone.folder)
    )
    assert in_ensemble == pytest.approx(by_itself, rel=0.05)


def test_trial_that_trains_alone_records_no_ensemble(make_task):
    task = make_task()
    list(run_task(task))
    history = read_newest_history(task.folder, task.trial.id)
    assert SEED_GROUPS not in history.provenance and find_ensemble_seeds(history) == ()


def test_ensemble_whose_seed_diverges_trains_the_others_to_the_same_results(make_ensemble, monkeypatch):
    from harness.models import network

    original = network.initialise

    def initialise(net, seed):
        original(net, seed)
        if seed == 101:
            net.conv1.weight.data.fill_(math.inf)

    expected = train_ensemble(make_ensemble())
    monkeypatch.setattr(network, "initialise", initialise)
    group = make_ensemble()
    ended = last_progress(group)
    assert [progress.status for progress in ended] == [
        TrialStatus.FINISHED,
        TrialStatus.DIVERGED,
        TrialStatus.FINISHED,
    ]
    epochs = [epochs_without_times(history) for history in read_histories(group)]
    assert epochs[::2] == expected[::2]
    assert [number for number, *_ in epochs[1]] == [0, 1]


def test_pruned_trial_ends_after_the_epoch_it_has_reported(make_task):
    task = make_task()
    progress = list(run_task(task, is_pruned=lambda trial: trial == task.trial.id))
    assert [(p.status, p.epoch) for p in progress] == [(TrialStatus.RUNNING, 1), (TrialStatus.PRUNED, 1)]
    history = read_newest_history(task.folder, task.trial.id)
    assert (history.outcome, history.last_epoch) == (TrialStatus.PRUNED, 1)
    # A pruned trial is complete: another run trains nothing of it.
    assert [p.status for p in run_task(task)] == [TrialStatus.PRUNED]
