"""The commands on single trials, on a store with a small recorded experiment."""

import json
import shutil

import pytest
import yaml
from conftest import QUICK
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import HarnessError

EXPERIMENT = {**QUICK, "seeds": [100], "contrasts": [], "execution": {"checkpoint_seconds": 0}}


def call(*arguments):
    """Run the command line in this process; return its output, or its JSON with ``--json``."""
    done = CliRunner().invoke(app, [str(word) for word in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a directory with the experiment ``quick`` of four trials, run to its end."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "quick.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        call("run", "quick.yaml", "--launcher", "inline")
    return folder


@pytest.fixture
def trials(recorded, tmp_path, monkeypatch):
    """Change to a copy of the recorded directory, and return its trials as the list has them."""
    shutil.copytree(recorded, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return call("trials", "--json")


def test_list_has_the_state_of_every_trial(trials):
    assert [(row["experiment"], row["state"], row["epoch"], row["seed"]) for row in trials] == [
        ("quick", "finished", 2, 100)
    ] * 4
    listed = call("trials", "quick")
    assert "quick: 4 trials, 4 finished" in listed
    assert trials[0]["trial"] in listed and "2/2" in listed


@pytest.mark.parametrize(("state", "count"), [("failed", 0), ("finished", 4), ("recorded", 4)])
def test_list_is_filtered_by_state(trials, state, count):
    assert len(call("trials", "--state", state, "--json")) == count


def test_show_has_spec_attempts_metrics_and_run(trials):
    identity = trials[0]["trial"]
    shown = call("show", identity[:6], "--json")
    assert (shown["trial"], shown["state"], shown["spec"]["seed"]) == (identity, "finished", 100)
    assert shown["attempt"][0]["ended"] == "finished"
    assert shown["metrics"]["test/error"] == trials[0]["test_error"]
    text = call("show", identity[:6])
    assert f"{identity} {trials[0]['variant']} seed 100" in text
    assert "MLflow run" in text and "widths [2, 4, 8]" in text


def test_logs_have_attempts_and_epochs(trials):
    logs = call("logs", trials[0]["trial"])
    assert "attempt 1 started" in logs and "epoch    2  train error" in logs and "attempt 1 finished" in logs
    assert {event["kind"] for event in call("logs", trials[0]["trial"], "--json")} == {"started", "epoch", "ended"}


def test_gc_frees_the_tensors_once(trials):
    assert "would be freed" in call("gc", "--dry-run")
    freed = call("gc", "--json")
    assert freed["freed"] > 0 and len(freed["folders"]) == 4
    assert "Nothing to free" in call("gc")


def test_rerun_gives_the_same_and_discard_makes_room_for_a_new_training(trials):
    identity = trials[0]["trial"]
    assert "The same bit for bit: all metrics of all 2 epochs" in call("rerun", identity, "--inline")
    discarded = call("discard", identity, "--reason", "the [bold]fan[/bold] was off")
    assert "discarded (before: finished)" in discarded
    everything = call("trials", "--all")
    assert "1 new, 3 finished, 1 superseded, 1 discarded" in everything
    assert "the [bold]fan[/bold] was off" in everything
    assert "1 of 4 trials to run" in call("run", "quick.yaml", "--launcher", "inline")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "abcdef"], "no trial's id starts with 'abcdef'"),
        (["logs", "[bold]"], r"'\[bold\]' is not"),
        (["rerun", "abcdef", "--inline"], "no trial's id starts with 'abcdef'"),
        (["rerun", "abcdef", "--inline", "--address", "auto"], "--address: --inline uses no cluster"),
        (["discard", "abcdef", "--reason", "why"], "no trial's id starts with 'abcdef'"),
        (["trials", "quick"], "no experiment 'quick' is recorded"),
        (["trials", "--state", "fail"], "Did you mean 'failed'"),
        (["gc", "quick", "--tracking-uri", "none"], "no experiment 'quick' is recorded"),
    ],
)
def test_wrong_id_name_or_state_is_an_error(invoke, tmp_path, arguments, message):
    with pytest.raises(HarnessError, match=message):
        invoke(*arguments)
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(("command", "text"), [("trials", "Nothing is recorded"), ("gc", "Nothing to free")])
def test_command_on_an_empty_directory_prints_so_and_writes_nothing(invoke, tmp_path, command, text):
    assert text in invoke(command).output
    assert list((tmp_path / "work").iterdir()) == []
