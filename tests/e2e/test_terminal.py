"""`harness run` on a real terminal: what the screen shows, Ctrl-C, and a terminal that is closed."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest
from terminal_screen import run_on_terminal

from harness.tracking.mlflow_record.store.client import open_store

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]
LONG = {"epochs": 400, "batch": 16, "lr": 0.05}
SHORT = {"epochs": 2, "batch": 16, "lr": 0.05}


@pytest.fixture
def run_harness(tmp_path, monkeypatch):
    """Return a function that runs ``harness run`` inline on a terminal, in an empty working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(path, width, on_output=lambda screen, process: None, prefix=()):
        command = [*prefix, sys.executable, "-m", "harness", "run", str(path), "--launcher", "inline"]
        return run_on_terminal(command, width, {"PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}, on_output)

    return run


def trial_statuses(home):
    """Return the sorted MLflow statuses of a home's trial runs."""
    client = open_store(f"sqlite:///{home}/mlflow.db")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(ids, "tags.`mlflow.parentRunId` != ''")
    return sorted(run.info.status for run in runs)


@pytest.mark.parametrize("width", [60, 80])
def test_run_on_a_terminal_shows_steps_and_counts_stopped_trials_after_ctrl_c(run_harness, experiment_file, width):
    path = experiment_file(recipe=LONG, seeds=[100])
    sent = []

    def stop(screen, process):
        if not sent and re.search(r"epoch \d+/400  step [1-9]", screen):
            sent.append(os.kill(process, signal.SIGINT))

    end, screens, code = run_harness(path, width, stop)
    assert sent and code == 130
    frames = [screen for screen in screens if "step " in screen and "trials done" in screen]
    assert frames and all(re.search(r"0 of 4 trials done, about (\?|[\d:]+) left", frame) for frame in frames)
    assert all(len(line) <= width for screen in screens for line in screen.splitlines())
    text = " ".join(end.split())
    assert "0 finished, 1 checkpointed, 3 not started" in text
    assert not re.search(r"\[ ?\d/4\]", text)


def test_run_whose_terminal_is_closed_saves_checkpoints_and_stops(run_harness, experiment_file, tmp_path):
    path = experiment_file(recipe=LONG, seeds=[100])
    _, _, code = run_harness(path, 80, lambda screen, process: bool(re.search(r"step [1-9]", screen)))
    assert code == 128 + signal.SIGHUP
    home = tmp_path / "work" / ".depthbench"
    # A trial keeps its two newest checkpoints, so there may be two of the one trial that had begun.
    assert len({path.parent for path in (home / "trials").glob("*/checkpoint-*.zip")}) == 1
    assert "FINISHED" not in trial_statuses(home) and "RUNNING" not in trial_statuses(home)


def test_run_that_ignores_the_closed_terminal_goes_on_to_a_whole_record(run_harness, experiment_file, tmp_path):
    """As nohup and disown do. Nothing can be printed any more, which exit code 2 says."""
    path = experiment_file(recipe=SHORT, seeds=[100])
    ignore = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
    _, _, code = run_harness(path, 80, lambda screen, process: "step " in screen, ignore)
    assert code == 2
    assert trial_statuses(tmp_path / "work" / ".depthbench") == ["FINISHED"] * 4
    assert (tmp_path / "work" / "reports" / "quick" / "README.md").exists()
