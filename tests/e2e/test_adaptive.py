"""Adaptive experiments on real Ray: decided with fewer trials than a fixed design, and killed between two stages."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.api import Settings, collect
from harness.reporting.verdicts.decision import decide_contrasts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REPOSITORY = Path(__file__).resolve().parents[2]
QUESTION = {
    "name": "adaptive",
    "question": "Does depth raise the training error without shortcuts, and not with them?",
    "variants": {
        "family": "cifar-resnet",
        "depth": [8, 20],
        "shortcut": ["none", "identity"],
        "set": {"widths": [4, 8, 16]},
    },
    "data": {"name": "digits", "train_images": 512},
    "recipe": {"epochs": 4, "batch": 64, "lr": 0.05, "schedule": "cosine"},
    "seeds": [10],
    "decide": {"first": 8, "step": 4, "most": 12},
    "contrasts": [{"kind": "degradation", "shallow": 8, "deep": 20, "margin": 1.0}],
}
"""The quickstart's question with smaller networks, fewer images and fewer epochs."""
UNDECIDED = {
    **QUESTION,
    "name": "undecided",
    "variants": ["cifar-resnet8", "cifar-plain8"],
    "data": {"name": "digits", "train_images": 128},
    "recipe": {"epochs": 1, "batch": 64, "lr": 1e-6},
    "decide": {"first": 8, "step": 4, "most": 12, "futility": 0},
    "contrasts": [{"kind": "difference", "a": "cifar-resnet8", "b": "cifar-plain8", "metric": "train/error"}],
}
"""Networks that do not train: no stage decides them, so there is a second one."""


def read_verdicts(home, name):
    """Return (state, pairs) of each verdict, and the number of recorded trials."""
    results, _ = collect(name, Settings(home=home))
    return [(verdict.state, verdict.n) for verdict in decide_contrasts(results)], len(results.final)


def test_quickstart_question_is_decided_with_fewer_trials_and_the_same_verdict(experiment_file, harness, tmp_path):
    path, home = experiment_file(**QUESTION), tmp_path / "home"
    plan = json.loads(harness("plan", path, "--json", "--home", home).stdout)["stages"]
    assert (plan["declared"], plan["least"]["trials"], plan["most"]["trials"]) == ([8, 12], 32, 48)
    run = harness("run", path, "--home", home, timeout=800)
    assert run.returncode == 0, run.stderr
    assert "After 8 seeds: Depth degradation from depth 8 to 20" in run.stdout
    assert ": supported at n = 8" in run.stdout
    assert "32 of at most 48 trials were needed" in run.stdout
    page = (tmp_path / "work" / "reports" / "adaptive" / "README.md").read_text()
    assert "A fixed design with 12 seeds of every variant takes 48 trials" in page
    assert "33 % of the trials were saved" in page
    again = harness("run", path, "--home", home, timeout=800)
    assert (again.returncode, "nothing to train" in again.stdout) == (0, True)
    # The fixed design has the same trials and four more seeds.
    changes = ["--set", "name=fixed", "--set", "decide=null", "--seeds", "12", "--launcher", "inline"]
    fixed = harness("run", path, "--home", home, *changes, timeout=800)
    assert fixed.returncode == 0, fixed.stderr
    assert read_verdicts(home, "adaptive") == ([("supported", 8)], 32)
    assert read_verdicts(home, "fixed") == ([("supported", 12)], 48)


def test_run_that_is_killed_between_two_stages_ends_as_one_that_was_not(experiment_file, harness, tmp_path):
    path, killed, whole = experiment_file(**UNDECIDED), tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-u", "-m", "harness", "run", str(path), "--home", str(killed)]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        shown = next(line for line in process.stdout if "stage 2 of 2" in line)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert "8 of 24 trials to run" in shown
    for home, launcher in ((killed, "ray"), (whole, "inline")):
        run = harness("run", path, "--home", home, "--launcher", launcher, timeout=800)
        assert "No decision with the 12 seeds that are the most" in run.stdout, run.stderr
    tables, analyses = zip(*(read_record(home) for home in (killed, whole)), strict=True)
    assert len(tables[0]) == 24 * 2
    assert tables[0].equals(tables[1])
    assert analyses[0] == analyses[1] != []


def read_record(home):
    """Return the epochs of the experiment without what differs from run to run, and its analyses without their time."""
    results, record = collect(UNDECIDED["name"], Settings(home=home))
    epochs = results.epochs
    epochs = epochs.drop(columns=[column for column in epochs.columns if column.startswith("time/")])
    # A commit between two runs changes the revision.
    epochs = epochs.drop(columns=["at", "shared", "revision"])
    analyses = record.read_experiment().analyses
    return epochs, [(a.contrast, a.declaration, a.stage, a.seeds, a.state) for a in analyses]
