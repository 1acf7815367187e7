"""A store and checkpoints of an earlier version: this version reads, reports and resumes them.

``tests/fixtures/earlier-store.tar.xz`` was written by the commit d091f1e with the launcher ``inline``: the experiment
``earlier`` with eight finished trials and its report, and ``interrupted``, whose only trial a time limit stopped at
epoch 246 of 300.
"""

import csv
import json
import re
import tarfile
from pathlib import Path

import pytest

STORE = Path(__file__).resolve().parents[1] / "fixtures" / "earlier-store.tar.xz"
INTERRUPTED = "43358b8f469f"


@pytest.fixture
def earlier_work(tmp_path):
    """The working directory of the earlier version, unpacked into a directory of its own."""
    work = tmp_path / "work"
    with tarfile.open(STORE) as archive:
        archive.extractall(work, filter="data")
    return work


EFFECTS = ("Component (A", "plain", "residual")
"""First words of the rows of the table of contrasts, which has other columns now."""


def read_numbers(path):
    """Return the rows of a results.csv without the experiment, to which this version adds what was declared."""
    with path.open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "study"} for row in csv.DictReader(file)]


def table_rows(page):
    """Return the rows with a number of all tables of a Markdown page but those of contrasts, without their marks."""
    rows = [line for line in page.splitlines() if line.startswith("| ") and re.search(r"\d", line)]
    return {row.replace("*", "") for row in rows if not row.startswith(tuple(f"| {word}" for word in EFFECTS))}


def effects_by_component(page):
    """Return the effect in each training error of each component, from the table of all tests of a contrast."""
    rows = [
        line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| p") or "| residual," in line
    ]
    return {
        (cells[0], error): cells[cells.index(error) + 1]
        for cells in rows
        for error in ("Training error, clean", "Training error, online")
        if error in cells
    }


def trial_rows(harness, experiment):
    """Return what ``harness trials`` lists of an experiment, by trial id."""
    listed = harness("trials", experiment, "--json")
    assert listed.returncode == 0, listed.stderr
    return {row["trial"]: row for row in json.loads(listed.stdout)}


def test_report_of_an_earlier_store_holds_the_same_numbers(harness, earlier_work):
    before = earlier_work / "reports" / "earlier"
    page, numbers = (before / "README.md").read_text(), read_numbers(before / "results.csv")
    done = harness("report", "earlier", "--reports", earlier_work / "anew")
    assert done.returncode == 0, done.stderr
    after = earlier_work / "anew" / "earlier"
    assert read_numbers(after / "results.csv") == numbers
    anew = (after / "README.md").read_text()
    assert table_rows(page) <= table_rows(anew)
    assert effects_by_component(page) == effects_by_component(anew) and len(effects_by_component(page)) == 6


def test_run_with_an_earlier_store_trains_no_finished_trial(harness, earlier_work):
    rows = trial_rows(harness, "earlier")
    assert {row["state"] for row in rows.values()} == {"finished"} and len(rows) == 8
    done = harness("run", "done.yaml", "--launcher", "inline")
    assert done.returncode == 0, done.stderr
    assert "nothing to train" in done.stdout
    assert {row["attempts"] for row in trial_rows(harness, "earlier").values()} == {1}


def test_run_of_a_trial_interrupted_by_an_earlier_version_resumes_from_its_checkpoint(harness, earlier_work):
    before = trial_rows(harness, "interrupted")[INTERRUPTED]
    assert (before["state"], before["epoch"]) == ("interrupted", 246)
    done = harness("run", "cut.yaml", "--launcher", "inline")
    assert done.returncode == 0, done.stderr
    after = trial_rows(harness, "interrupted")[INTERRUPTED]
    assert (after["state"], after["epoch"], after["attempts"]) == ("finished", 300, 2)
    with (earlier_work / "reports" / "interrupted" / "results.csv").open() as file:
        epochs = [int(row["epoch"]) for row in csv.DictReader(file)]
    assert epochs == list(range(301))
