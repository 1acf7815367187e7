"""Fault tolerance at the command line: signals, time limits, locks, killed drivers, deleted and misplaced files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]
LONG = {"epochs": 400, "batch": 64, "lr": 0.05}
SHORT = {"epochs": 3, "batch": 64, "lr": 0.05}


@pytest.fixture
def start_run(tmp_path):
    """Return a function that starts ``harness run`` inline and waits for its first checkpoint."""
    processes = []

    def start(path, *options):
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "harness", "run", str(path), "--launcher", "inline", *options]
        process = subprocess.Popen(
            command,
            cwd=work,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        wait_for_checkpoint(work, process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_checkpoint(work, process, after=()):
    """Wait until a trial has a checkpoint that is not among ``after``; return the names of all checkpoints."""
    until = time.monotonic() + 120
    while True:
        names = {path.name for path in (work / ".depthbench" / "trials").glob("*/checkpoint-*.zip")}
        if names - set(after):
            return names
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.05)


def kill_between_checkpoints(work, process):
    """Kill the driver after its trial has written another checkpoint, so that some epochs are published."""
    wait_for_checkpoint(work, process, after=wait_for_checkpoint(work, process))
    process.kill()
    process.communicate()


def trial_runs(home):
    """Return the client of a home's MLflow store, and its runs of trials."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return client, client.search_runs(experiments, "tags.trial LIKE '%'")


def run_statuses(home):
    """Return the sorted MLflow statuses of a home's trial runs."""
    return sorted(run.info.status for run in trial_runs(home)[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_at_a_signal_saves_checkpoints_and_prints_how_to_resume(start_run, experiment_file, tmp_path, number):
    path = experiment_file(recipe=LONG, seeds=[100], execution={"checkpoint_seconds": 0.2})
    process = start_run(path)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "running trials write a checkpoint" in output and "interrupted at epoch" in output
    assert "run the same command again" in errors
    assert "Traceback" not in output + errors
    # Only the trial that had begun has a run: a run is created when its trial begins.
    assert run_statuses(tmp_path / "work" / ".depthbench") == ["KILLED"]


def test_run_of_an_experiment_that_another_driver_holds_is_refused(start_run, harness, experiment_file):
    path = experiment_file(recipe=LONG, execution={"checkpoint_seconds": 0.2})
    first = start_run(path)
    second = harness("run", path, "--launcher", "inline")
    assert second.returncode == 2
    assert "has held this experiment for" in second.stderr
    assert f"'harness run quick', process {first.pid} on" in second.stderr
    assert harness("sync").returncode == 2
    assert first.poll() is None


def test_run_at_its_time_limit_saves_checkpoints_and_exits_with_3(harness, experiment_file, tmp_path):
    path = experiment_file(recipe=LONG, seeds=[100], execution={"checkpoint_seconds": 1000})
    done = harness("run", path, "--launcher", "inline", "--time-limit", "12s")
    assert done.returncode == 3, done.stderr
    assert "Stopped by the time limit of 0:00:12" in done.stderr
    assert "4 of 4 trials are not done" in done.stderr
    assert len(list((tmp_path / "work" / ".depthbench" / "trials").glob("*/checkpoint-*"))) == 1


def test_sync_after_a_killed_driver_ends_its_mlflow_runs(start_run, harness, experiment_file, tmp_path):
    path = experiment_file(recipe=LONG, seeds=[100], execution={"checkpoint_seconds": 0.2})
    process = start_run(path)
    kill_between_checkpoints(tmp_path / "work", process)
    home = tmp_path / "work" / ".depthbench"
    assert "RUNNING" in run_statuses(home)
    done = harness("sync")
    assert done.returncode == 0, done.stderr
    assert "quick: 1 trial updated" in done.stdout
    assert "`harness run` resumes it from its checkpoint" in done.stdout
    assert run_statuses(home) == ["KILLED"]
    assert "nothing to do" in harness("sync", "quick").stdout
    assert harness("sync", "nothing").returncode == 2


def test_plan_of_a_changed_experiment_lists_changes_and_keeps_valid_trials(harness, experiment_file):
    path = experiment_file(recipe=SHORT, seeds=[100])
    assert harness("run", path, "--launcher", "inline").returncode == 0
    shallow = {
        "family": "cifar-resnet",
        "depth": [8, 20],
        "shortcut": ["none", "identity"],
        "set": {"widths": [2, 4, 8]},
    }
    path = experiment_file(recipe=SHORT, seeds=[100], variants=shallow, contrasts=None)
    planned = harness("plan", path)
    assert planned.returncode == 0
    for line in ("variants: without cifar-plain14-w2", "new cifar-plain20-w2", "2 of 4 trials are recorded"):
        assert line in planned.stdout, planned.stdout
    path = experiment_file(recipe={**SHORT, "lr": 0.1}, seeds=[100])
    assert "recipe.lr: 0.05 -> 0.1" in json.loads(harness("plan", path, "--json").stdout)["changes"]
    assert "0 of 4 trials are recorded" in harness("plan", path).stdout


def test_run_after_deleted_checkpoints_trains_anew_without_doubled_metrics(
    start_run, harness, experiment_file, tmp_path
):
    """The trials start from epoch 0, and MLflow holds each of their epochs once."""
    path = experiment_file(recipe={**LONG, "epochs": 40}, seeds=[100], execution={"checkpoint_seconds": 0.1})
    process = start_run(path)
    kill_between_checkpoints(tmp_path / "work", process)
    home = tmp_path / "work" / ".depthbench"
    shutil.rmtree(home / "trials")
    done = harness("run", path, "--launcher", "inline")
    assert done.returncode == 0, done.stderr
    client, runs = trial_runs(home)
    assert len(runs) == 4
    for run in runs:
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "train/loss")]
        assert sorted(steps) == list(range(1, 41))


def test_storage_option_moves_checkpoints_and_refuses_unusable_directories(harness, experiment_file, tmp_path):
    path = experiment_file(recipe=SHORT, seeds=[100])
    storage = tmp_path / "elsewhere"
    done = harness("run", path, "--launcher", "inline", "--storage", f"local://{storage}")
    assert done.returncode == 0, done.stderr
    assert len(list(storage.glob("*/checkpoint-*.zip"))) >= 4
    assert not (tmp_path / "work" / ".depthbench" / "trials").exists()
    for wrong, message in (("nosuch://x", "nosuch"), ("/proc/nowhere", "Choose another directory")):
        refused = harness("run", path, "--set", "name=other", "--storage", wrong)
        assert refused.returncode == 2
        assert message in refused.stderr and "Traceback" not in refused.stderr


def test_run_with_a_checkpoint_of_another_trial_is_refused(harness, experiment_file, tmp_path):
    path = experiment_file(recipe=SHORT, seeds=[100])
    assert harness("run", path, "--launcher", "inline").returncode == 0
    trials = sorted((tmp_path / "work" / ".depthbench" / "trials").iterdir())
    other = harness("plan", path, "--set", "recipe.lr=0.1", "--set", "name=other", "--json")
    first = json.loads(other.stdout)["trials"][0]["trial"]
    misplaced = next(trials[0].glob("checkpoint-*"))
    (trials[0].parent / first).mkdir()
    shutil.copy(misplaced, trials[0].parent / first)
    refused = harness("run", path, "--set", "recipe.lr=0.1", "--set", "name=other", "--launcher", "inline")
    assert refused.returncode == 2
    assert f"in the folder of trial {first}" in refused.stderr
    assert "Move it back" in refused.stderr
