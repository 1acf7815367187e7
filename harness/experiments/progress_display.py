"""The display while trials run: a live table on a terminal, one line for each ended trial elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.execution.progress import Progress
from harness.experiments.planning.plan import Plan
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import escape_rich

MOST_ROWS = 16
"""Most running trials that the table shows."""
STATUSES_WITH_NOTES = (TrialStatus.RUNNING, TrialStatus.FINISHED, TrialStatus.DIVERGED)


class ProgressDisplay:
    """The display of a plan's trials. Call it with each progress of a trial."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self.console = console
        self.planned = {planned.trial.id: planned for planned in plan.to_run}
        self.total_seconds = sum(planned.seconds for planned in self.planned.values()) or 1.0
        self.running: dict[str, Progress] = {}
        self.ended: dict[str, Progress] = {}
        self.notes: dict[str, str] = {}
        self.started = time.monotonic()
        self.live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> ProgressDisplay:
        self.started = time.monotonic()
        if self.live and self.planned:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, progress: Progress) -> None:
        if progress.trial in self.ended:
            return
        if not self.running and not self.ended:
            # The time in which workers start says nothing about the time that trials take.
            self.started = time.monotonic() - progress.seconds
        self._print_note(progress)
        if progress.status == TrialStatus.RUNNING:
            self.running[progress.trial] = progress
        else:
            self.running.pop(progress.trial, None)
            self.ended[progress.trial] = progress
            self.console.print(self._ended_line(progress), highlight=False, soft_wrap=True)
        if self.live:
            self.live.update(self._table())

    def _print_note(self, progress: Progress) -> None:
        """Print a problem that is not a failure, such as a lost worker or a full disk, once."""
        before = self.notes.get(progress.trial, "")
        if progress.status in STATUSES_WITH_NOTES and progress.message != before:
            self.notes[progress.trial] = progress.message
            label = self.planned[progress.trial].trial.label
            text = escape_rich(progress.message.removeprefix(before).lstrip("; "))
            self.console.print(f"[yellow]note[/yellow] {escape_rich(label)}: {text}", highlight=False, soft_wrap=True)

    def _ended_line(self, progress: Progress) -> str:
        """Return the line of an ended trial: how it ended, its errors, and the time that is left for all."""
        count = f"[{len(self.ended):>{len(str(len(self.planned)))}}/{len(self.planned)}]".replace("[", r"\[")
        label = escape_rich(f"{self.planned[progress.trial].trial.label:<28}")
        message = escape_rich(progress.message)
        if progress.status == TrialStatus.FAILED:
            return f"{count} {label} [red]failed[/red]: {message}"
        if progress.status == TrialStatus.SUPERSEDED:
            return f"{count} {label} [yellow]left to another run[/yellow]: {message}"
        if progress.status == TrialStatus.INTERRUPTED:
            return f"{count} {label} interrupted {message}"
        status = {
            TrialStatus.DIVERGED: "[yellow]diverged[/yellow]  ",
            TrialStatus.PRUNED: f"pruned by the search at epoch {progress.epoch}  ",
        }.get(progress.status, "")
        errors = f"train error {_percent(progress.train_error)}  test error {_percent(progress.test_error)}"
        return f"{count} {label} {status}{errors}  {progress.seconds:6.1f} s   about {self._time_left()} left"

    def _share_done(self) -> float:
        """Return the share of the estimated time of all trials that is done, from 0 to 1."""
        ended = sum(self.planned[trial].seconds for trial in self.ended)
        return (ended + sum(self._seconds_done(trial) for trial in self.running)) / self.total_seconds

    def _seconds_done(self, trial: str) -> float:
        """Return how much of a running trial's estimated time is done."""
        planned = self.planned[trial]
        epochs = planned.trial.recipe.epochs
        share = (self.running[trial].epoch - planned.epochs_done) / max(epochs - planned.epochs_done, 1)
        return planned.seconds * max(share, 0.0)

    def _time_left(self) -> str:
        share = self._share_done()
        if share <= 0:
            return "?"
        seconds = (time.monotonic() - self.started) * max(1 - share, 0) / share
        return str(timedelta(seconds=round(seconds)))

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False)
        table.add_column("trial")
        table.add_column("epoch", justify="right")
        table.add_column("")
        table.add_column("train error", justify="right")
        for trial, progress in list(self.running.items())[:MOST_ROWS]:
            planned = self.planned[trial]
            epochs = planned.trial.recipe.epochs
            bar = ProgressBar(epochs, progress.epoch, width=24)
            error = _percent(progress.train_error)
            table.add_row(escape_rich(planned.trial.label), f"{progress.epoch}/{epochs}", bar, error)
        summary = f"{len(self.ended)} of {len(self.planned)} trials, about {self._time_left()} left"
        return Group(table, ProgressBar(1.0, self._share_done(), width=60), Text(summary, style="bold"))


def _percent(value: float | None) -> str:
    return "     – " if value is None else f"{value:5.2f} %"
