"""The display while trials run: live lines at the bottom of a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.execution.progress import Progress
from harness.experiments.planning.plan import Plan
from harness.experiments.progress_state import ProgressState, count_epochs, describe_step
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import WORD, escape_rich

MOST_ROWS = 16
"""Most running trials that the live lines show."""
MOST_STAGE_ROWS = 4
"""Most lines on the stage of an adaptive experiment, one for the stage and one for each contrast."""
OTHER_ROWS = 6
"""Rows of a terminal that they leave free for the lines of ended trials, the bar and the summary."""
LONGEST_BAR, SHORTEST_BAR = 24, 6
"""Columns of a trial's bar. Without room for the shortest one there is none."""
LONGEST_TOTAL_BAR = 60
"""Columns of the bar for all trials."""
WIDE = 100
"""Columns of a terminal that has room to align the lines of ended trials."""
WITH_WORDS = 60
"""Columns of a terminal that has room for the word "epoch"."""
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 600.0
"""Seconds between two plain lines on running trials. The pause doubles from the first to the longest."""
STATUSES_WITH_NOTES = (TrialStatus.RUNNING, TrialStatus.FINISHED, TrialStatus.DIVERGED)


class ProgressDisplay:
    """The display of a plan's trials. Call it with each progress of a trial, from any thread."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self.console, self.state = console, ProgressState(plan)
        self.notes: dict[str, str] = {}
        # FORCE_COLOR makes a console of a pipe a terminal, but lines cannot be replaced there.
        is_live = console.is_terminal and not console.is_dumb_terminal and getattr(console, "is_screen", True)
        self.live = Live(console=console, refresh_per_second=4, transient=True) if is_live else None
        self.pause, self.line_due = FIRST_PAUSE, time.monotonic() + FIRST_PAUSE
        self._lock = threading.Lock()

    def __enter__(self) -> ProgressDisplay:
        if self.live and self.state.planned:
            self.live.update(self._live_lines())
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, progress: Progress) -> None:
        # The console has locks of its own, so nothing is printed while this one is held.
        with self._lock:
            if progress.trial in self.state.ended:
                return
            lines = self._note_lines(progress)
            self.state.add(progress)
            is_running = progress.status == TrialStatus.RUNNING
            lines += self._running_lines(progress) if is_running else self._ended_lines(progress)
            live_lines = self._live_lines() if self.live else None
        if lines:
            # All at once, because a signal handler may print at any moment.
            self.console.print(Text("\n").join(lines), highlight=False, soft_wrap=True)
        if self.live and live_lines:
            self.live.update(live_lines)

    def _note_lines(self, progress: Progress) -> list[Text]:
        """Return a line on a problem that is not a failure, such as a lost worker or a full disk; only once."""
        before = self.notes.get(progress.trial, "")
        if progress.status not in STATUSES_WITH_NOTES or progress.message == before:
            return []
        self.notes[progress.trial] = progress.message
        text = progress.message.removeprefix(before).lstrip("; ")
        return self._fit([f"[yellow]note[/yellow] {self._label(progress)}:", *_words(text)], " ")

    def _running_lines(self, progress: Progress) -> list[Text]:
        """Return a line on the running trials, if there are no live lines and the last such line is long ago."""
        if self.live or time.monotonic() < self.line_due:
            return []
        self.pause = min(2 * self.pause, LONGEST_PAUSE)
        self.line_due = time.monotonic() + self.pause
        position = f"epoch {progress.epoch}/{self.state.epochs(progress.trial)}"
        step = f", {describe_step(progress)}" if progress.steps else ""
        more = f" and {len(self.state.running) - 1} more" if len(self.state.running) > 1 else ""
        running = f"running: {self._label(progress)} {position}{step}{more}"
        return self._fit([f"{self.state.summarise()};", running], " ")

    def _ended_lines(self, progress: Progress) -> list[Text]:
        """Return the line of an ended trial: how it ended, its errors, and the time that is left for all.

        On a narrow terminal it has several lines. A trial that this run leaves to another one is not counted.
        """
        is_narrow = self.live is not None and self.console.width < WIDE
        label, message = self._label(progress, 0 if is_narrow else 28), _words(progress.message)
        total, width = len(self.state.planned), len(str(len(self.state.planned)))
        count, blank = rf"\[{self.state.done:>{width}}/{total}]", " " * (2 * width + 3)
        if progress.status == TrialStatus.FAILED:
            return self._fit([f"{count} {label}", "[red]failed[/red]:", *message], " ")
        if progress.status == TrialStatus.SUPERSEDED:
            return self._fit([f"{blank} {label}", "[yellow]left to another run[/yellow]:", *message], " ")
        if progress.status == TrialStatus.INTERRUPTED:
            return self._fit([f"{blank} {label}", "interrupted", *message], " ")
        status = {
            TrialStatus.DIVERGED: ["[yellow]diverged[/yellow]"],
            TrialStatus.PRUNED: [f"pruned by the search at epoch {progress.epoch}"],
        }.get(progress.status, [])
        test = "test" if is_narrow else "test error"
        errors = [f"train error {_percent(progress.train_error)}", f"{test} {_percent(progress.test_error)}"]
        # The live lines show the time that is left.
        left = [] if self.live else [f" about {self.state.time_left()} left"]
        seconds = f"{progress.seconds:.1f} s" if is_narrow else f"{progress.seconds:6.1f} s"
        return self._fit([f"{count} {label}", *status, *errors, seconds, *left], "  ")

    def _fit(self, parts: list[str], separator: str) -> list[Text]:
        """Join parts with markup to one line; on a terminal, to lines that end between parts."""
        first, *others = (Text.from_markup(part, emoji=False) for part in parts)
        lines = [first]
        for text in others:
            is_full = cell_len(lines[-1].plain) + len(separator) + text.cell_len > self.console.width
            if self.live and is_full:
                lines[-1].rstrip()
                lines.append(Text("  ") + text)
            else:
                lines[-1] += Text(separator) + text
        return lines

    def _label(self, progress: Progress, width: int = 0) -> str:
        return escape_rich(f"{self.state.label(progress.trial):<{width}}")

    def _live_lines(self) -> Group:
        """Return a line for each running trial, a bar for all trials, and the summary."""
        width, running = self.console.width, list(self.state.running.values())
        stage_rows = min(len(self.state.describe_stage()), MOST_STAGE_ROWS)
        shown = running[: max(min(MOST_ROWS, self.console.height - OTHER_ROWS - stage_rows), 1)]
        trials = [(self.state.label(p.trial), self.state.epochs(p.trial), p) for p in shown]
        lines: list[RenderableType] = [_trial_table(trials, width)] if trials else []
        if len(running) > len(shown):
            lines.append(Text(f"and {len(running) - len(shown)} more are running"))
        if not running and not self.state.ended:
            lines.append(Text("The first trials are starting ..."))
        # rich's bar ends without a line break, so in a group the summary would stand beside it, and be cut off.
        total = Table.grid()
        total.add_row(ProgressBar(1.0, self.state.share_done(), width=min(LONGEST_TOTAL_BAR, width)))
        total.add_row(Text(self.state.summarise(), style="bold"))
        stage = [
            Text(line, no_wrap=True, overflow="ellipsis") for line in self.state.describe_stage()[:MOST_STAGE_ROWS]
        ]
        return Group(*stage, *lines, total)


def _trial_table(trials: list[tuple[str, int, Progress]], width: int) -> Table:
    """Return a row for each running trial; what a narrow terminal has no room for is left out: bars, then errors.

    Args:
        trials: Label, number of epochs and newest progress of each trial.
        width: Columns of the terminal.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    word = "epoch " if width >= WITH_WORDS else ""
    rows = [
        (label, f"{word}{progress.epoch}/{epochs}", describe_step(progress), _percent(progress.train_error))
        for label, epochs, progress in trials
    ]
    widths = [max(map(cell_len, column)) + 2 for column in zip(*rows, strict=True)]
    room = width - sum(widths)
    has_bar, has_error = room >= SHORTEST_BAR + 2, room >= 0
    for (label, epoch, step, error), (_, epochs, progress) in zip(rows, trials, strict=True):
        cells: list[Text | ProgressBar] = [Text(label), Text(epoch), Text(step)]
        if has_bar:
            cells.append(ProgressBar(epochs, count_epochs(progress), width=min(room - 2, LONGEST_BAR)))
        if has_error:
            cells.append(Text(error))
        table.add_row(*cells)
    for column in table.columns:
        column.no_wrap, column.overflow = True, "ellipsis"
    if not has_error:
        table.columns[0].max_width = max(width - sum(widths[1:3]) - 2, 1)
    return table


def _words(text: str) -> list[str]:
    """Return the words of a text as markup; a command between backticks is one of them."""
    return [escape_rich(word) for word in WORD.findall(text)]


def _percent(value: float | None) -> str:
    return "     – " if value is None else f"{value:5.2f} %"
