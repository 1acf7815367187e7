"""Trials that are killed, stopped or fail: what they measure in the end is what an undisturbed trial measures."""

import pytest
from execution.interruptions import (
    Killed,
    after_calls,
    epochs_without_times,
    kill,
    last_progress,
    read_histories,
    run_task,
    stop,
    train_ensemble,
    train_task,
)

from harness.execution.attempts import read_attempts
from harness.execution.claim import MAX_DEATHS
from harness.execution.runner import run_group
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import read_newest_history

RARELY_SAVED = {"checkpoint_seconds": 1000}
FEATURES = {
    "plain": ({}, {}),
    "schedule and warm-up": ({"schedule": "step", "warmup_epochs": 1}, {}),
    "one-cycle": ({"schedule": "one-cycle"}, {}),
    "augmentation": ({"augment": "crop-flip", "crop_padding": 1}, {}),
    "mixed precision": ({"precision": "bf16"}, {}),
    "adamw, clipping, smoothing": (
        {"optimiser": "adamw", "lr": 0.01, "clip_grad_norm": 0.5, "label_smoothing": 0.1},
        {},
    ),
    "micro-batches": ({"micro_batch": 16}, {}),
    "nesterov": ({"nesterov": True}, {}),
    "stochastic depth": ({"micro_batch": 16}, {"stochastic_depth": 0.5}),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_trial_killed_at_several_steps_ends_with_the_same_results(make_task, feature):
    recipe, variant = FEATURES[feature]
    expected = train_task(make_task(recipe, variant))
    interrupted = make_task(recipe, variant)
    for calls in (3, 4, 5, 6):
        with pytest.raises(Killed):
            list(run_task(interrupted, after_calls(calls, kill)))
    assert train_task(interrupted) == expected
    assert [number for number, *_ in expected] == [0, 1, 2]
    starts = [(attempt.epoch, attempt.step) for attempt in read_attempts(interrupted.folder)]
    assert starts == sorted(starts) and starts[-1] > (0, 1), starts


@pytest.mark.parametrize("calls", range(1, 12))
def test_trial_stopped_at_any_call_resumes_to_the_same_results(make_task, calls):
    """As by Ctrl-C, SIGTERM and a time limit; some of these calls are in an evaluation."""
    stopped = make_task(execution=RARELY_SAVED)
    (*_, last) = run_task(stopped, after_calls(calls, stop))
    assert last.status is TrialStatus.INTERRUPTED
    assert len(list_checkpoints(stopped.folder)) <= 1
    assert read_attempts(stopped.folder)[-1].end_status is TrialStatus.INTERRUPTED
    assert train_task(stopped) == train_task(make_task(execution=RARELY_SAVED))


def test_trial_stopped_before_its_start_writes_nothing(make_task):
    waiting = make_task()
    assert [progress.status for progress in run_task(waiting, stop)] == [TrialStatus.INTERRUPTED]
    assert waiting.folder.list_names() == []


def test_trial_with_streamed_images_resumes_within_an_epoch(make_task, image_folder):
    fields = {
        "recipe": {"batch": 16, "augment": "resized-crop-flip"},
        "variant": {"in_channels": 3, "classes": 3},
        "data": {"name": "imagefolder", "root": str(image_folder()), "image_size": 8, "train_images": None},
    }
    interrupted = make_task(**fields)
    for calls in (3, 5, 3):
        with pytest.raises(Killed):
            list(run_task(interrupted, after_calls(calls, kill)))
    assert read_attempts(interrupted.folder)[-1].step > 0
    assert train_task(interrupted) == train_task(make_task(**fields))


def test_trial_whose_workers_die_at_one_position_is_given_up_with_the_reason(make_task):
    dying = make_task(execution=RARELY_SAVED)
    for _ in range(MAX_DEATHS):
        with pytest.raises(Killed):
            list(run_task(dying, after_calls(3, kill)))
    (progress,) = run_task(dying)
    assert progress.status is TrialStatus.FAILED
    assert f"killed {MAX_DEATHS} times in epoch 1" in progress.message and "memory" in progress.message
    # A user who runs it again may have changed something.
    assert train_task(make_task(folder=dying.folder, launch="two"))


def test_trial_whose_workers_die_at_several_positions_goes_on(make_task):
    dying = make_task()
    for _ in range(MAX_DEATHS + 2):
        with pytest.raises(Killed):
            list(run_task(dying, after_calls(3, kill)))
    assert "its worker was lost" in list(run_task(dying))[-1].message


def test_trial_that_exhausts_the_memory_fails_with_a_batch_that_fits(make_task, monkeypatch):
    import torch

    from harness.models import network

    def exhaust(self, x):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(network.Network, "forward", exhaust)
    (progress,) = run_task(make_task())
    assert progress.status is TrialStatus.FAILED
    assert "64 images" in progress.message and "recipe.micro_batch=32" in progress.message


def test_trial_whose_data_worker_is_killed_fails_with_its_process(make_task, monkeypatch):
    from harness.models import network

    def fail(self, x):
        raise RuntimeError("DataLoader worker (pid 4711) is killed by signal: Killed. ")

    monkeypatch.setattr(network.Network, "forward", fail)
    (progress,) = run_task(make_task())
    assert "(process 4711)" in progress.message and "Killed" in progress.message


def test_history_of_a_trial_keeps_times_in_order_if_the_clock_is_set_back(make_task, monkeypatch):
    clock = iter(range(2_000_000_000, 0, -1000))
    monkeypatch.setattr("harness.tracking.history.time.time", lambda: next(clock))
    task = make_task()
    train_task(task)
    times = [epoch.at for epoch in read_newest_history(task.folder, task.trial.id).epochs]
    assert times == sorted(times)


@pytest.mark.parametrize("recipe", [{}, {"augment": "crop-flip", "crop_padding": 1, "clip_grad_norm": 0.5}])
def test_ensemble_killed_at_several_steps_ends_with_the_same_results(make_ensemble, recipe):
    expected = train_ensemble(make_ensemble(recipe))
    interrupted = make_ensemble(recipe)
    for calls in (3, 4, 5, 6):
        with pytest.raises(Killed):
            list(run_group(interrupted, after_calls(calls, kill)))
    assert train_ensemble(interrupted) == expected
    for task in interrupted.tasks:
        starts = [(attempt.epoch, attempt.step) for attempt in read_attempts(task.folder)]
        assert starts == sorted(starts) and starts[-1] > (0, 1), starts


@pytest.mark.parametrize("writes", [1, 2, 3, 5, 8, 11])
def test_ensemble_killed_between_checkpoints_of_one_moment_ends_with_the_same_results(
    make_ensemble, writes, monkeypatch
):
    """Three checkpoints are written at each moment. A seed that is one ahead goes back, and repeats no epoch."""
    expected = train_ensemble(make_ensemble())
    interrupted = make_ensemble()
    original, remaining = Folder.write, iter(range(writes))

    def write(self, name, content):
        if name.startswith("checkpoint") and next(remaining, None) is None:
            raise Killed
        original(self, name, content)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Folder, "write", write)
        list(run_group(interrupted))
    newest = [list_checkpoints(task.folder)[:1] for task in interrupted.tasks]
    positions = {checkpoints[0].position if checkpoints else None for checkpoints in newest}
    assert len(positions) == (1 if writes % 3 == 0 else 2)
    assert train_ensemble(interrupted) == expected


@pytest.mark.parametrize("calls", range(1, 14, 3))
def test_ensemble_stopped_at_any_call_resumes_to_the_same_results(make_ensemble, calls):
    stopped = make_ensemble(execution=RARELY_SAVED)
    ended = last_progress(stopped, is_stopping=after_calls(calls, stop))
    assert [progress.status for progress in ended] == [TrialStatus.INTERRUPTED] * 3
    end_statuses = {read_attempts(task.folder)[-1].end_status for task in stopped.tasks}
    assert end_statuses == {TrialStatus.INTERRUPTED}
    assert train_ensemble(stopped) == train_ensemble(make_ensemble(execution=RARELY_SAVED))


def test_ensemble_with_damaged_checkpoints_of_one_seed_ends_with_the_same_results(make_ensemble):
    """That seed starts again, in its own slot, after the others have ended."""
    interrupted = make_ensemble()
    with pytest.raises(Killed):
        list(run_group(interrupted, after_calls(9, kill)))
    damaged = interrupted.tasks[1].folder
    for checkpoint in list_checkpoints(damaged):
        (damaged.path / checkpoint.name).write_bytes(b"half")
    assert train_ensemble(interrupted) == train_ensemble(make_ensemble())
    assert any("is damaged" in note for attempt in read_attempts(damaged) for note in attempt.notes)


def test_ensemble_with_complete_seeds_trains_the_others_with_the_same_results(make_ensemble):
    """As after a kill between the ends of two seeds: the others are trained in the ensemble in which they began."""
    expected = train_ensemble(make_ensemble())
    interrupted = make_ensemble()
    with pytest.raises(Killed):
        list(run_group(interrupted, after_calls(9, kill)))
    remaining = make_ensemble(same_folders_as=interrupted, trained_seeds=(100, 102))
    assert train_ensemble(remaining) == expected[::2]


def test_ensemble_whose_training_raises_fails_all_its_trials_with_the_reason(make_ensemble, fail_training, monkeypatch):
    errors = []
    with monkeypatch.context() as patched:
        fail_training(patched, 3)
        ended = last_progress(make_ensemble(), on_error=errors.append)
    assert [progress.status for progress in ended] == [TrialStatus.FAILED] * 3
    assert all("out of [bold]luck" in p.traceback and "RuntimeError" in p.message for p in ended)
    assert len(errors) == 3


def test_ensemble_whose_seed_another_run_takes_over_trains_the_others(make_ensemble):
    from dataclasses import replace

    ours = make_ensemble()
    running = run_group(ours)
    next(running)
    next(run_task(replace(ours.tasks[1], launch="two")))
    ended = {progress.trial: progress.status for progress in running if progress.status is not TrialStatus.RUNNING}
    assert [ended[task.trial.id] for task in ours.tasks] == [
        TrialStatus.FINISHED,
        TrialStatus.SUPERSEDED,
        TrialStatus.FINISHED,
    ]
    expected = train_ensemble(make_ensemble())
    assert [epochs_without_times(history) for history in read_histories(ours)][::2] == expected[::2]
