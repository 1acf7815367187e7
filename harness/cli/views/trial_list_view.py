"""Lists of trials, and the events of one, on a terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from harness.cli.console import out, print_text
from harness.cli.formatting import format_age, format_percent, format_time, format_value
from harness.reporting.formatting import format_quantity
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import escape_rich, one_line
from harness.tracking.metrics import ONLINE_TRAINING_ERROR, TEST_ERROR

if TYPE_CHECKING:
    from harness.trials.events import Event
    from harness.trials.summary import TrialSummary

COLOURS = {
    TrialStatus.NEW: "dim",
    TrialStatus.RUNNING: "cyan",
    TrialStatus.INTERRUPTED: "yellow",
    TrialStatus.PRUNED: "green",
    TrialStatus.FINISHED: "green",
    TrialStatus.DIVERGED: "yellow",
    TrialStatus.FAILED: "red",
    TrialStatus.UNPUBLISHED: "yellow",
    TrialStatus.SUPERSEDED: "dim",
    TrialStatus.DISCARDED: "dim",
}
"""The colour of each state of a trial."""
UNFINISHED = (TrialStatus.UNPUBLISHED, TrialStatus.INTERRUPTED, TrialStatus.FAILED)
"""States of trials that another run completes."""
WIDE_TERMINAL = 120
"""Columns of a terminal from which the table has room for notes."""
LONGEST_NOTE = 100
"""Characters of a note in the list. `harness show` prints all of it."""


def trial_as_json(experiment: str, trial: TrialSummary) -> dict[str, Any]:
    """Return one row of the list as values for JSON."""
    return {
        "experiment": experiment,
        "trial": trial.id,
        "state": trial.status,
        "variant": trial.variant,
        "seed": trial.seed,
        "epoch": trial.epoch,
        "epochs": trial.epochs,
        "at": trial.last_change or None,
        "attempts": len(trial.attempts),
        "train_error": trial.last_value(ONLINE_TRAINING_ERROR),
        "test_error": trial.last_value(TEST_ERROR),
        "error": trial.error,
        "note": trial.note,
    }


def print_trials(experiment: str, listed: Sequence[TrialSummary], trials: Sequence[TrialSummary]) -> None:
    """Print the trials of an experiment as a table, and which command comes next.

    Args:
        listed: The trials that the table shows.
        trials: All trials, which are counted by state.
    """
    counts = Counter(trial.status for trial in trials)
    summary = ", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status])
    out.print_lines(f"[bold]{escape_rich(experiment)}[/bold]: {format_quantity(len(trials), 'trial')}, {summary}")
    if listed:
        _print_table(listed)
    failed = next((trial for trial in listed if trial.status == TrialStatus.FAILED), None)
    if failed is not None:
        _print_hint(
            f"`harness logs {failed.id}` shows its traceback. `harness rerun {failed.id} --inline` opens a debugger at "
            "the error."
        )
    if any(counts[status] for status in UNFINISHED):
        _print_hint(f"`harness run {escape_rich(experiment)}` completes the unfinished trials.")


def _print_hint(text: str) -> None:
    out.print_lines(f"[green]→[/green] {text}")


def _print_table(trials: Sequence[TrialSummary]) -> None:
    """Print a row for each trial. On a narrow terminal, the notes follow below the table."""
    is_wide = out.width >= WIDE_TERMINAL
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for heading in ("id", "state", "variant"):
        table.add_column(heading, no_wrap=heading != "variant", overflow="fold")
    for heading in ("seed", "epoch", "age", "tries", "train %", "test %"):
        table.add_column(heading, justify="right", no_wrap=True)
    if is_wide:
        table.add_column("error or note", overflow="fold")
    for trial in trials:
        table.add_row(*_cells(trial), *([escape_rich(_short_note(trial))] if is_wide else []))
    out.print_table(table)
    for trial in trials if not is_wide else ():
        if note := _short_note(trial):
            print_text(f"{trial.id}  {note}")


def _cells(trial: TrialSummary) -> list[str]:
    colour = COLOURS[trial.status]
    return [
        trial.id,
        f"[{colour}]{escape_rich(trial.status_text)}[/{colour}]",
        escape_rich(trial.variant),
        format_value(trial.seed),
        f"{format_value(trial.epoch, '?')}/{format_value(trial.epochs, '?')}",
        format_age(trial.last_change),
        format_value(len(trial.attempts) or None),
        format_percent(trial.last_value(ONLINE_TRAINING_ERROR)),
        format_percent(trial.last_value(TEST_ERROR)),
    ]


def _short_note(trial: TrialSummary) -> str:
    note = one_line(trial.error or trial.note)
    return note if len(note) <= LONGEST_NOTE else note[: LONGEST_NOTE - 2] + " …"


def print_events(trial: TrialSummary, events: Iterable[Event]) -> None:
    """Print what happened to a trial, a line for each event."""
    out.print_lines(f"[bold]{trial.id}[/bold] {escape_rich(trial.label)}: {escape_rich(trial.status_text)}")
    has_events = False
    for event in events:
        has_events = True
        time = format_time(event.at) if event.at is not None else " " * 19
        print_text(event.text if event.kind == "traceback" else f"{time}  {event.text}")
    if not has_events:
        print_text(f"Nothing has happened to this trial yet. Its checkpoints will be in {trial.folder}")
