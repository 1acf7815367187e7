"""What a user sees while trials run."""

import io

import pytest
from rich.console import Console

from harness.execution.progress import Progress
from harness.experiments.planning.plan import make_plan
from harness.experiments.progress_display import ProgressDisplay
from harness.io.storage import Folder
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.checkpoint_record import CheckpointRecord


@pytest.fixture
def show(quick_study, tmp_path):
    """Return a function that shows progress of the quick experiment's first trial, and returns the printed lines."""
    storage = Folder.from_location(tmp_path / "trials")
    plan = make_plan(quick_study(), CheckpointRecord(tmp_path, "quick", storage), storage, 2)
    trial = plan.to_run[0].trial

    def show_lines(*reports):
        text = io.StringIO()
        with ProgressDisplay(plan, Console(file=text, width=140)) as display:
            for fields in reports:
                display(Progress(trial.id, **fields))
        return text.getvalue().splitlines()

    show_lines.label = trial.label
    return show_lines


def test_display_shows_errors_and_time_left_of_a_finished_trial(show):
    running = {"status": TrialStatus.RUNNING, "epoch": 1, "train_error": 50.0}
    finished = {"status": TrialStatus.FINISHED, "epoch": 2, "train_error": 20.9, "test_error": 18.1, "seconds": 7.2}
    (line,) = show(running, finished)
    assert line.startswith(f"[1/8] {show.label}")
    assert "train error 20.90 %" in line and "test error 18.10 %" in line and line.endswith("left")


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (TrialStatus.FAILED, "out of [bold]luck", "failed: out of [bold]luck"),
        (TrialStatus.INTERRUPTED, "at epoch 1, step 3", "interrupted at epoch 1, step 3"),
        (TrialStatus.SUPERSEDED, "process 7 trains it", "left to another run: process 7 trains it"),
        (TrialStatus.PRUNED, "", "pruned by the search at epoch 1"),
        (TrialStatus.DIVERGED, "", "diverged"),
    ],
)
def test_display_says_how_a_trial_ended(show, status, message, words):
    (line,) = show({"status": status, "epoch": 1, "message": message})
    assert words in line


def test_display_prints_a_note_once(show):
    note = {"status": TrialStatus.RUNNING, "epoch": 1, "message": "the disk is full"}
    more = {"status": TrialStatus.RUNNING, "epoch": 2, "message": "the disk is full; its worker was lost"}
    assert show(note, note, more) == [
        f"note {show.label}: the disk is full",
        f"note {show.label}: its worker was lost",
    ]
