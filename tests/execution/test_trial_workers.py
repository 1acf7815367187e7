"""Trials of several workers: the results of one worker where nothing depends on a worker's share, and lost workers."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from execution.interruptions import after_calls, run_task, stop

from harness.execution import trial_workers
from harness.execution.trial_group import TrialGroup
from harness.io.checkpoint_names import list_checkpoints
from harness.launchers.inline import launch
from harness.launchers.stop_request import StopRequest
from harness.processes import start_module
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import read_newest_history

TOLERANCE = 2e-6
"""Relative tolerance of float32 losses and gradient norms: sums in another order differ by roundings of 6e-8 each."""


@pytest.fixture
def make_shared_task(make_task):
    """Return a task on 270 digits in batches of 64, of whose last batch of 14 each of two workers has 7."""

    def make(workers, norm="group", execution=None, **recipe):
        return make_task(
            recipe={"epochs": 4, **recipe},
            variant={"norm": norm},
            data={"train_images": 270},
            resources={"workers": workers},
            execution=execution or {},
        )

    return make


def train(task, is_stopping=lambda: False):
    """Run a task, and return its history."""
    (*_, last) = run_task(task, is_stopping)
    assert last.status is not TrialStatus.FAILED, last.traceback
    return read_newest_history(task.folder, task.trial.id)


def metrics_without_times(history):
    return {
        (epoch.epoch, key): value
        for epoch in history.epochs
        for key, value in epoch.metrics.items()
        if not key.startswith("time/")
    }


def largest_difference(one, other):
    """Return the largest relative difference between the metrics of two histories."""
    first, second = metrics_without_times(one), metrics_without_times(other)
    assert first.keys() == second.keys()
    return max(abs(first[key] - second[key]) / max(abs(first[key]), 1) for key in first)


def test_two_workers_measure_what_one_worker_measures(make_shared_task):
    """GroupNorm normalises each image by itself, so the batches and updates are the same for any number of workers."""
    one, two = train(make_shared_task(1)), train(make_shared_task(2))
    assert largest_difference(one, two) < TOLERANCE
    assert two.trial.id == one.trial.id
    assert len(two.epochs) == 5
    assert two.provenance["device"] == f"2 x {one.provenance['device']}"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("workers", "recipe"),
    [
        (2, {"micro_batch": 8}),
        (2, {"augment": "crop-flip", "crop_padding": 1, "optimiser": "adamw", "lr": 0.01, "clip_grad_norm": 0.5}),
        # Odd batches: 270 = 4 x 63 + 18, and 6 x 45.
        (3, {"batch": 63, "epochs": 2}),
        (3, {"batch": 45, "epochs": 2, "label_smoothing": 0.1}),
        # Last batches too small to share, which every worker then trains whole: 270 = 4 x 66 + 6, and 268 + 2.
        (3, {"batch": 66, "epochs": 2}),
        (2, {"batch": 268, "epochs": 2}),
    ],
    ids=["micro-batches", "augmentation", "odd batch", "odd batch, smoothing", "last 6 images", "last 2 images"],
)
def test_several_workers_measure_what_one_worker_measures_with_any_recipe(make_shared_task, workers, recipe):
    one, several = train(make_shared_task(1, **recipe)), train(make_shared_task(workers, **recipe))
    assert largest_difference(one, several) < TOLERANCE


@pytest.mark.slow
@pytest.mark.long
def test_two_workers_with_batchnorm_are_another_trial_with_other_results(make_shared_task):
    """Each worker normalises by its 32 images, in place of all 64."""
    one, two = make_shared_task(1, "batch"), make_shared_task(2, "batch", worker_batch=32)
    assert one.trial.id != two.trial.id
    assert largest_difference(train(one), train(two)) > 1000 * TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "recipe"), [("group", {}), ("batch", {"worker_batch": 32})])
def test_two_workers_stopped_within_an_epoch_resume_to_the_same_results(make_shared_task, norm, recipe):
    expected = train(make_shared_task(2, norm, **recipe))
    stopped = make_shared_task(2, norm, **recipe)
    train(stopped, after_calls(8, stop))
    assert list_checkpoints(stopped.folder)[0].step > 0
    assert metrics_without_times(train(stopped)) == metrics_without_times(expected)


@pytest.mark.slow
def test_killed_worker_is_replaced_and_the_trial_ends_with_the_same_results(make_shared_task, monkeypatch):
    """Its death ends the trial's attempt; the next attempt resumes from the checkpoint."""
    task = make_shared_task(2, execution={"checkpoint_seconds": 0}, epochs=12)
    expected = train(make_shared_task(2, epochs=12))
    workers, reports = [], []

    @contextmanager
    def start(*arguments, **options):
        with start_module(*arguments, **options) as process:
            workers.append(process)
            yield process

    def report(progress):
        reports.append(progress)
        if progress.epoch == 3 and len(workers) == 1:
            os.kill(workers[0].pid, signal.SIGKILL)

    monkeypatch.setattr(trial_workers, "start_module", start)
    launch([TrialGroup((task,))], 1, report, StopRequest())
    assert len(workers) == 2
    assert reports[-1].status is TrialStatus.FINISHED
    assert "its worker was lost; it resumed from epoch" in reports[-1].message
    history = read_newest_history(task.folder, task.trial.id)
    assert metrics_without_times(history) == metrics_without_times(expected)


@pytest.mark.slow
def test_failed_worker_fails_the_trial_with_the_worker_s_error(make_shared_task, monkeypatch, tmp_path):
    """The worker has another home, without the data. Rank 0 sees a closed connection, and reads the reason."""
    from harness.api.data import pack_data

    monkeypatch.setenv("HOME", str(tmp_path))
    pack_data("digits", str(tmp_path / "digits.pack"))

    def start(name, stdout, stderr, environment, **options):
        return start_module(name, stdout, stderr, {**environment, "HOME": "/proc/nowhere"}, **options)

    monkeypatch.setattr(trial_workers, "start_module", start)
    task = make_shared_task(2)
    data = task.trial.data.model_copy(update={"root": "~/digits.pack"})
    (*_, last) = run_task(replace(task, trial=task.trial.model_copy(update={"data": data})))
    assert last.status is TrialStatus.FAILED
    assert re.search(r"nowhere/digits.pack.* \(worker 1 on ", last.message)


@pytest.mark.slow
def test_workers_end_when_the_process_of_rank_0_is_killed(experiment_file, tmp_path):
    """With the inline launcher that process is the command itself, which has no time for any cleanup."""
    file = experiment_file(
        variants={"family": "cifar-resnet", "depth": [8], "shortcut": ["identity"], "set": {"norm": "group"}},
        contrasts=None, seeds=[100], resources={"workers": 2}, recipe={"epochs": 100_000, "batch": 64, "lr": 0.05},
        execution={"checkpoint_seconds": 0.5},
    )  # fmt: skip
    options = ["--launcher", "inline", "--tracking-uri", "none", "--home", str(tmp_path / "home")]
    driver = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", str(file), *options],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 90
        while not list((tmp_path / "home").rglob("checkpoint-0001-0000*")):
            assert time.monotonic() < deadline and driver.poll() is None, "the trial does not start"
            time.sleep(0.1)
        workers = psutil.Process(driver.pid).children(recursive=True)
        assert workers
        driver.kill()
        assert not psutil.wait_procs(workers, timeout=10)[1]
    finally:
        driver.kill()
        driver.wait()
