"""Bad weather at the command line: interrupts, limits, locks, mended records, files that change or vanish."""

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
def started(tmp_path):
    """Start ``harness run`` inline and wait until its first checkpoint; ends it after the test."""
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
        until = time.monotonic() + 120
        while not any((work / ".depthbench" / "trials").glob("*/checkpoint-*")):
            assert process.poll() is None and time.monotonic() < until, process.communicate()
            time.sleep(0.05)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def _statuses(home):
    import sqlite3

    with sqlite3.connect(home / "mlflow.db") as database:
        return sorted(
            row[0]
            for row in database.execute(
                "SELECT r.status FROM runs r JOIN tags t ON r.run_uuid = t.run_uuid WHERE t.key = 'trial'"
            )
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_writes_a_checkpoint_and_says_how_to_go_on(started, experiment_file, tmp_path, number):
    path = experiment_file(recipe=LONG, seeds=[100], execution={"checkpoint_seconds": 0.2})
    process = started(path)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "running trials write a checkpoint" in output and "stopped at epoch" in output
    assert "the same command goes on" in errors
    assert "Traceback" not in output + errors
    assert _statuses(tmp_path / "work" / ".depthbench") == ["KILLED"] * 4


def test_two_drivers_are_kept_apart(started, harness, experiment_file):
    path = experiment_file(recipe=LONG, execution={"checkpoint_seconds": 0.2})
    first = started(path)
    second = harness("run", path, "--launcher", "inline")
    assert second.returncode == 2
    assert "holds this experiment since" in second.stderr
    assert f"'harness run quick', process {first.pid} on" in second.stderr
    assert harness("sync").returncode == 2
    assert first.poll() is None


def test_a_time_limit_ends_with_checkpoints_and_exit_code_3(harness, experiment_file, tmp_path):
    path = experiment_file(recipe=LONG, seeds=[100], execution={"checkpoint_seconds": 1000})
    done = harness("run", path, "--launcher", "inline", "--time-limit", "12s")
    assert done.returncode == 3, done.stderr
    assert "Stopped by the time limit of 0:00:12" in done.stderr
    assert "4 of 4 trials are not done" in done.stderr
    assert len(list((tmp_path / "work" / ".depthbench" / "trials").glob("*/checkpoint-*"))) == 1
    for wrong in ("soon", "0s", "-5", "1h90x"):
        refused = harness("run", path, f"--time-limit={wrong}")
        assert refused.returncode == 2
        assert "Write 90s, 30m or 1h30m" in refused.stderr


def test_runs_of_a_dead_driver_are_mended(started, harness, experiment_file, tmp_path):
    path = experiment_file(recipe=LONG, seeds=[100], execution={"checkpoint_seconds": 0.2})
    process = started(path)
    time.sleep(2)
    process.kill()
    process.communicate()
    home = tmp_path / "work" / ".depthbench"
    assert "RUNNING" in _statuses(home)
    mended = harness("sync")
    assert mended.returncode == 0, mended.stderr
    assert "quick: 4 trials mended" in mended.stdout
    assert "`harness run` goes on from there" in mended.stdout
    assert _statuses(home) == ["KILLED"] * 4
    assert "nothing to do" in harness("sync", "quick").stdout
    assert harness("sync", "nothing").returncode == 2


def test_an_experiment_that_was_changed_says_what_and_keeps_what_still_holds(harness, experiment_file):
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


def test_a_storage_that_vanishes_between_two_runs_costs_time_alone(started, harness, experiment_file, tmp_path):
    """Its trials begin anew; what MLflow had of them already is not doubled."""
    import sqlite3

    path = experiment_file(recipe={**LONG, "epochs": 40}, seeds=[100], execution={"checkpoint_seconds": 0.1})
    process = started(path)
    time.sleep(1)
    process.kill()
    process.communicate()
    home = tmp_path / "work" / ".depthbench"
    shutil.rmtree(home / "trials")
    done = harness("run", path, "--launcher", "inline")
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(home / "mlflow.db") as database:
        rows = database.execute(
            "SELECT m.run_uuid, m.step, COUNT(*) FROM metrics m JOIN tags t ON m.run_uuid = t.run_uuid "
            "WHERE t.key = 'trial' AND m.key = 'train/loss' GROUP BY 1, 2"
        ).fetchall()
    assert len(rows) == 4 * 40
    assert {count for _, _, count in rows} == {1}


def test_storage_elsewhere_and_storage_that_cannot_be(harness, experiment_file, tmp_path):
    path = experiment_file(recipe=SHORT, seeds=[100])
    place = tmp_path / "elsewhere"
    done = harness("run", path, "--launcher", "inline", "--storage", f"local://{place}")
    assert done.returncode == 0, done.stderr
    assert len(list(place.glob("*/checkpoint-*.zip"))) >= 4
    assert not (tmp_path / "work" / ".depthbench" / "trials").exists()
    for wrong, says in (("nosuch://x", "nosuch"), ("/proc/nowhere", "Choose another directory")):
        refused = harness("run", path, "--set", "name=other", "--storage", wrong)
        assert refused.returncode == 2
        assert says in refused.stderr and "Traceback" not in refused.stderr


def test_a_strange_checkpoint_is_refused_before_anything_is_created(harness, experiment_file, tmp_path):
    path = experiment_file(recipe=SHORT, seeds=[100])
    assert harness("run", path, "--launcher", "inline").returncode == 0
    trials = sorted((tmp_path / "work" / ".depthbench" / "trials").iterdir())
    other = harness("plan", path, "--set", "recipe.lr=0.1", "--set", "name=other", "--json")
    first = json.loads(other.stdout)["trials"][0]["trial"]
    stray = next(trials[0].glob("checkpoint-*"))
    (trials[0].parent / first).mkdir()
    shutil.copy(stray, trials[0].parent / first)
    refused = harness("run", path, "--set", "recipe.lr=0.1", "--set", "name=other", "--launcher", "inline")
    assert refused.returncode == 2
    assert f"in the folder of trial {first}" in refused.stderr
    assert "Move it back" in refused.stderr
