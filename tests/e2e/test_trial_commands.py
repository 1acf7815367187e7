"""A sweep looked at trial by trial through the command line."""

import json

import pytest


@pytest.mark.slow
def test_from_the_list_to_the_discarded_trial(harness, experiment_file, tmp_path):
    path = experiment_file(seeds=[100], contrasts=None, execution={"checkpoint_seconds": 0})
    assert harness("run", path, "--launcher", "inline").returncode == 0

    rows = json.loads(harness("trials", "--json").stdout)
    assert [(row["experiment"], row["state"], row["epoch"], row["seed"]) for row in rows] == [
        ("quick", "recorded", 2, 100)
    ] * 4
    listed = harness("trials", "quick").stdout
    assert "quick: 4 trials, 4 recorded" in listed and rows[0]["trial"] in listed and "2/2" in listed
    assert json.loads(harness("trials", "--state", "failed", "--json").stdout) == []
    identity, variant = rows[0]["trial"], rows[0]["variant"]

    told = json.loads(harness("show", identity[:6], "--json").stdout)
    assert (told["trial"], told["state"], told["spec"]["seed"]) == (identity, "recorded", 100)
    assert told["attempt"][0]["ended"] == "finished" and told["metrics"]["test/error"] == rows[0]["test_error"]
    shown = harness("show", identity[:6]).stdout
    assert f"{identity} {variant} seed 100" in shown and "MLflow run" in shown and "widths [2, 4, 8]" in shown
    logs = harness("logs", identity).stdout
    assert "attempt 1 started" in logs and "epoch    2  train error" in logs and "attempt 1 finished" in logs

    would = harness("gc", "--dry-run").stdout
    freed = json.loads(harness("gc", "--json").stdout)
    assert "would be freed" in would and freed["freed"] > 0 and len(freed["folders"]) == 4
    assert "Nothing to free" in harness("gc").stdout

    again = harness("rerun", identity, "--inline")
    assert again.returncode == 0, again.stderr
    assert "The same bit for bit: all metrics of all 2 epochs" in again.stdout

    gone = harness("discard", identity, "--reason", "the [bold]fan[/bold] was off")
    assert gone.returncode == 0 and "discarded (before: recorded)" in gone.stdout
    everything = harness("trials", "--all").stdout
    assert "3 recorded, 1 new, 1 discarded, 1 superseded" in everything
    assert "discarded: the [bold]fan[/bold] was off" in everything
    once_more = harness("run", path, "--launcher", "inline")
    assert "1 of 4 trials to run" in once_more.stdout, once_more.stderr


def test_bad_ids_and_names(harness, tmp_path):
    for arguments, says in (
        (["show", "abcdef"], "no trial begins with 'abcdef'"),
        (["logs", "[bold]"], "'[bold]' is no id of a trial"),
        (["rerun", "abcdef", "--inline"], "no trial begins"),
        (["discard", "abcdef", "--reason", "why"], "no trial begins"),
        (["trials", "quick"], "no experiment 'quick' is recorded"),
        (["trials", "--state", "fail"], "Did you mean 'failed'?"),
        (["gc", "quick", "--tracking-uri", "none"], "no experiment 'quick' is recorded"),
    ):
        done = harness(*arguments)
        assert done.returncode == 2, arguments
        assert says in done.stderr and "Traceback" not in done.stderr, (arguments, done.stderr)
    assert "Nothing is recorded" in harness("trials").stdout
    assert "Nothing to free" in harness("gc").stdout
    assert list((tmp_path / "work").iterdir()) == []
