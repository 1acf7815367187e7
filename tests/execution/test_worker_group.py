"""Trials of several workers: the same results as of one where nothing sees a worker's share, and what goes wrong."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from harness.api.data import pack_data
from harness.execution import worker_group
from harness.execution.runner import TrialGroup, run_group
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.launchers.inline import launch
from harness.launchers.stop_request import StopRequest
from harness.specs import Execution, Recipe, Resources, Variant
from harness.tracking.history import read_newest_history

TOLERANCE = 2e-6
"""Of float32 losses and gradient norms, relative to one: sums of other orders differ by roundings of 6e-8 each."""


@pytest.fixture
def job(quick_study, tmp_path):
    """A job on 270 digits in batches of 64, whose last batch of 14 each worker has 7 of."""
    count = iter(range(100))

    def make(workers, norm="group", execution=None, folder=None, **recipe):
        study = quick_study(data={"name": "digits", "train_images": 270})
        trial = study.trials[4]
        fields = {**trial.recipe.model_dump(), "epochs": 4, **recipe}
        variant = Variant(**{**trial.variant.model_dump(), "norm": norm})
        trial = trial.model_copy(update={"recipe": Recipe(**fields), "variant": variant})
        folder = folder or Folder.from_location(tmp_path / f"{next(count)}" / trial.id)
        resources = Resources(workers=workers)
        return TrialGroup(trial, Execution(**(execution or {})), resources, folder, "", "", "one", False, (8, 8), "")

    return make


def _history(job, stopping=lambda: False):
    last = list(run_group(job, stopping))[-1]
    assert last.outcome != "failed", last.trace
    return read_newest_history(job.folder, job.trial.id)


def _untimed(history):
    return {
        (epoch.epoch, key): value
        for epoch in history.epochs
        for key, value in epoch.metrics.items()
        if not key.startswith("time/")
    }


def _farthest(one, other):
    assert one.keys() == other.keys()
    return max(abs(one[key] - other[key]) / max(abs(one[key]), 1) for key in one)


def test_two_workers_give_the_loss_curve_of_one(job):
    """GroupNorm normalises each image by itself: the same batches, the same updates, whoever computes their parts."""
    one, two = _history(job(1)), _history(job(2))
    assert _farthest(_untimed(one), _untimed(two)) < TOLERANCE
    assert two.trial.id == one.trial.id
    assert len(two.epochs) == 5
    assert two.provenance["device"] == f"2 x {one.provenance['device']}"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    "recipe",
    [
        {"micro_batch": 8},
        {"augment": "crop-flip", "crop_padding": 1, "optimiser": "adamw", "lr": 0.01, "clip_grad_norm": 0.5},
        {"batch": 63, "epochs": 2},
        {"batch": 45, "epochs": 2, "label_smoothing": 0.1},
    ],
)
def test_whatever_the_recipe(job, recipe):
    """Three workers where the batch is odd: 270 = 4 x 63 + 18, and 6 x 45."""
    workers = 3 if "batch" in recipe else 2
    assert _farthest(_untimed(_history(job(1, **recipe))), _untimed(_history(job(workers, **recipe)))) < TOLERANCE


@pytest.mark.slow
@pytest.mark.long
def test_a_left_over_too_small_to_share_is_everybodys(job, quick_study):
    """270 = 4 x 66 + 6, of which four workers would have one or two images each."""
    recipe = {"batch": 66, "epochs": 2}
    shared = job(3, **recipe), job(1, **recipe)
    assert _farthest(*map(_untimed, map(_history, shared))) < TOLERANCE
    tiny = {"batch": 268, "epochs": 2}
    assert _farthest(_untimed(_history(job(1, **tiny))), _untimed(_history(job(2, **tiny)))) < TOLERANCE


@pytest.mark.slow
@pytest.mark.long
def test_batchnorm_sees_the_share_of_a_worker(job):
    """It normalises by 32 images in place of 64: another trial, with other results."""
    one, two = job(1, "batch"), job(2, "batch", worker_batch=32)
    assert one.trial.id != two.trial.id
    first, second = _untimed(_history(one)), _untimed(_history(two))
    assert _farthest(first, second) > 1000 * TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["group", "batch"])
def test_resumed_is_bitwise_equal_to_uninterrupted(job, norm):
    """Stopped between two steps of the second epoch, and gone on with by other processes."""
    fields = {"norm": norm, **({"worker_batch": 32} if norm == "batch" else {})}
    whole = _history(job(2, **fields))
    asked = iter(range(8))
    begun = job(2, **fields)
    _history(begun, lambda: next(asked, None) is None)
    newest = list_checkpoints(begun.folder)[0]
    assert newest.step > 0
    assert _untimed(_history(begun)) == _untimed(whole)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(job, monkeypatch):
    """Killed at once, it takes the trial's attempt with it; the next one goes on, and ends as if nothing had been."""
    victim = job(2, execution={"checkpoint_seconds": 0}, epochs=12)
    whole = _history(job(2, epochs=12))
    started = []
    original = worker_group.subprocess.Popen

    def popen(*args, **kwargs):
        started.append(original(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(worker_group.subprocess, "Popen", popen)
    seen = []

    def report(progress):
        seen.append(progress)
        if progress.epoch == 3 and len(started) == 1:
            os.kill(started[0].pid, signal.SIGKILL)

    launch([victim], 1, report, StopRequest())
    assert len(started) == 2
    assert seen[-1].outcome == "finished"
    assert "its worker was lost; it goes on from epoch" in seen[-1].message
    history = read_newest_history(victim.folder, victim.trial.id)
    assert _untimed(history) == _untimed(whole)


@pytest.mark.slow
def test_what_ends_a_worker_is_said(job, monkeypatch, tmp_path):
    """Its home is another one, and has no data: rank 0 hears but a closed connection, and asks."""
    monkeypatch.setenv("HOME", str(tmp_path))
    pack_data("digits", str(tmp_path / "digits.pack"))
    original = worker_group.subprocess.Popen

    def popen(command, env, **kwargs):
        return original(command, env={**env, "HOME": "/proc/nowhere"}, **kwargs)

    monkeypatch.setattr(worker_group.subprocess, "Popen", popen)
    wrong = job(2)
    data = wrong.trial.data.model_copy(update={"root": "~/digits.pack"})
    last = list(run_group(replace(wrong, trial=wrong.trial.model_copy(update={"data": data}))))[-1]
    assert last.outcome == "failed"
    assert re.search(r"nowhere/digits.pack.* this file does not exist \(worker 1 on ", last.message)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's table of processes")
def test_workers_do_not_outlive_a_trial_that_is_killed(experiment_file, tmp_path):
    """Rank 0 is the command itself, and has no time for anything."""
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
        assert _within(90, lambda: list((tmp_path / "home").rglob("checkpoint-0001-0000*"))), "it trains"
        workers = _children(driver.pid)
        assert workers
        driver.kill()
        driver.wait()
        assert _within(10, lambda: not any(_is_alive(worker) for worker in workers))
    finally:
        driver.kill()


def _within(seconds, what):
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def _children(parent):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(stat.parent.name)
    return found


def _is_alive(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
