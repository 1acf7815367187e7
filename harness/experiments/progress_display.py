"""What a user sees while trials run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.execution.runner import Progress
from harness.experiments.planning.plan import Plan, PlannedTrial
from harness.text import escape_rich

MOST_ROWS = 16


class Display:
    """Follows the trials of a plan; call it with every progress."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self.console = console
        self.planned = {planned.trial.id: planned for planned in plan.to_run}
        self.total = sum(planned.seconds for planned in self.planned.values()) or 1.0
        self.running: dict[str, Progress] = {}
        self.ended: dict[str, Progress] = {}
        self.notes: dict[str, str] = {}
        self.started = time.monotonic()
        self.live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> Display:
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
            # The start of workers does not tell how long trials take.
            self.started = time.monotonic() - progress.seconds
        self._note(progress)
        if progress.outcome == "running":
            self.running[progress.trial] = progress
        else:
            self.running.pop(progress.trial, None)
            self.ended[progress.trial] = progress
            self.console.print(self._line(progress), highlight=False, soft_wrap=True)
        if self.live:
            self.live.update(self._table())

    def _note(self, progress: Progress) -> None:
        """What is wrong and no failure, once: a lost worker, a full disk, a damaged checkpoint."""
        before = self.notes.get(progress.trial, "")
        if progress.outcome in ("running", "finished", "diverged") and progress.message != before:
            self.notes[progress.trial] = progress.message
            label = self.planned[progress.trial].trial.label
            text = escape_rich(progress.message.removeprefix(before).lstrip("; "))
            self.console.print(f"[yellow]note[/yellow] {escape_rich(label)}: {text}", highlight=False, soft_wrap=True)

    def _line(self, progress: Progress) -> str:
        """One line for a trial that has ended."""
        count = f"[{len(self.ended):>{len(str(len(self.planned)))}}/{len(self.planned)}]".replace("[", r"\[")
        label = escape_rich(f"{self.planned[progress.trial].trial.label:<28}")
        if progress.outcome == "failed":
            return f"{count} {label} [red]failed[/red]: {escape_rich(progress.message)}"
        if progress.outcome == "superseded":
            return f"{count} {label} [yellow]left to another run[/yellow]: {escape_rich(progress.message)}"
        if progress.outcome == "stopped":
            return f"{count} {label} stopped {escape_rich(progress.message)}"
        notes = {"diverged": "[yellow]diverged[/yellow]  ", "cut": f"stopped by the search at epoch {progress.epoch}  "}
        note = notes.get(progress.outcome, "")
        errors = f"train error {_percent(progress.error)}  test error {_percent(progress.test_error)}"
        return f"{count} {label} {note}{errors}  {progress.seconds:6.1f} s   about {self._left()} left"

    def _share_done(self) -> float:
        ended = sum(self.planned[trial].seconds for trial in self.ended)
        return (ended + sum(self._part(trial) for trial in self.running)) / self.total

    def _part(self, trial: str) -> float:
        planned = self.planned[trial]
        epochs = planned.trial.recipe.epochs
        done = (self.running[trial].epoch - planned.epochs_done) / max(epochs - planned.epochs_done, 1)
        return planned.seconds * max(done, 0.0)

    def _left(self) -> str:
        share = self._share_done()
        if share <= 0:
            return "?"
        seconds = (time.monotonic() - self.started) * max(1 - share, 0) / share
        return str(timedelta(seconds=round(seconds)))

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for heading, justify in (("trial", "left"), ("epoch", "right"), ("", "left"), ("train error", "right")):
            table.add_column(heading, justify=justify)  # type: ignore[arg-type]
        for trial, progress in list(self.running.items())[:MOST_ROWS]:
            planned: PlannedTrial = self.planned[trial]
            epochs = planned.trial.recipe.epochs
            bar = ProgressBar(epochs, progress.epoch, width=24)
            table.add_row(escape_rich(planned.trial.label), f"{progress.epoch}/{epochs}", bar, _percent(progress.error))
        done = f"{len(self.ended)} of {len(self.planned)} trials"
        summary = Text(f"{done}, about {self._left()} left", style="bold")
        return Group(table, ProgressBar(1.0, self._share_done(), width=60), summary)


def _percent(value: float | None) -> str:
    return "     – " if value is None else f"{value:5.2f} %"
