"""What a user sees while trials run."""

import io
import re

import pytest
from rich.console import Console
from terminal_screen import Screen

from harness.cli.terminal import TerminalConsole
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


@pytest.fixture
def screen(quick_study, tmp_path, monkeypatch):
    """Return a function that shows progress on a terminal, and returns what the screen shows at last and at the end.

    Each progress is (index of the trial, its fields).
    """
    monkeypatch.setenv("NO_COLOR", "1")
    storage = Folder.from_location(tmp_path / "trials")
    plan = make_plan(quick_study(), CheckpointRecord(tmp_path, "quick", storage), storage, 2)

    def show_screen(width, *reports):
        file, shown = io.StringIO(), Screen(width)
        console = Console(file=file, width=width, height=24, force_terminal=True, legacy_windows=False)
        with ProgressDisplay(plan, console) as display:
            for number, fields in reports:
                display(Progress(plan.to_run[number].trial.id, **fields))
            display.live.refresh()
            shown.feed(file.getvalue().replace("\n", "\r\n"))
            last = shown.text()
            written = len(file.getvalue())
        shown.feed(file.getvalue()[written:].replace("\n", "\r\n"))
        return last.splitlines(), shown.text().rstrip("\n").splitlines()

    show_screen.labels = [planned.trial.label for planned in plan.to_run]
    return show_screen


STEP = {"status": TrialStatus.RUNNING, "epoch": 0, "step": 3, "steps": 12}
DONE = {"status": TrialStatus.FINISHED, "epoch": 2, "train_error": 20.9, "test_error": 18.1, "seconds": 107.2}
STOPPED = {"status": TrialStatus.INTERRUPTED, "epoch": 1, "message": "at epoch 1, step 3", "is_checkpointed": True}


@pytest.mark.parametrize("width", [60, 80, 140])
def test_terminal_shows_steps_before_the_first_epoch_ends_and_the_summary(screen, width):
    lines, end = screen(width, (0, STEP), (1, STEP | {"step": 12}))
    label, other = screen.labels[:2]
    assert re.fullmatch(rf"{label} +epoch 0/2  step 3/12 .*–", lines[0])
    assert re.fullmatch(rf"{other} +epoch 0/2  evaluating .*–", lines[1])
    assert "━" in lines[2] and lines[3].startswith("0 of 8 trials done, about 0:0")
    assert all(len(line) <= width for line in lines)
    assert end == []


@pytest.mark.parametrize("width", [20, 40])
def test_very_narrow_terminal_keeps_steps_and_summary(screen, width):
    lines, _ = screen(width, (0, STEP))
    assert "step 3/12" in lines[0]
    assert "0 of 8 trials done," in lines[2]
    assert all(len(line) <= width for line in lines)


def test_ended_trials_on_a_terminal_of_60_columns_have_whole_numbers(screen):
    _, end = screen(60, (0, DONE), (1, DONE))
    first, second = screen.labels[:2]
    assert end == [
        f"[1/8] {first}  train error 20.90 %",
        "  test 18.10 %  107.2 s",
        f"[2/8] {second}  train error 20.90 %",
        "  test 18.10 %  107.2 s",
    ]


def test_stopped_trials_are_not_counted_as_done(screen):
    lines, end = screen(80, (0, DONE), (1, STOPPED), (2, STOPPED), (3, DONE))
    assert "2 of 8 trials done" in lines[-1]
    assert [line[:5] for line in end] == ["[1/8]", "     ", "     ", "[2/8]"]
    assert end[1].endswith("interrupted at epoch 1, step 3")


def test_terminal_before_the_first_report_says_what_it_waits_for(screen):
    lines, _ = screen(60)
    assert lines[0] == "The first trials are starting ..." and "0 of 8 trials done" in lines[-1]


def test_pipe_shows_a_line_on_running_trials_now_and_then(show, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now.__setitem__(0, now[0] + 1) or now[0])
    lines = show(*[STEP] * 200)
    assert 2 <= len(lines) <= 7
    assert re.fullmatch(rf"0 of 8 trials done, about .* left; running: {show.label} epoch 0/2, step 3/12", lines[0])


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"FORCE_COLOR": "1"}])
def test_output_that_cannot_replace_lines_gets_plain_lines(quick_study, tmp_path, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    storage = Folder.from_location(tmp_path / "trials")
    plan = make_plan(quick_study(), CheckpointRecord(tmp_path, "quick", storage), storage, 2)
    assert ProgressDisplay(plan, TerminalConsole(file=io.StringIO())).live is None


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
