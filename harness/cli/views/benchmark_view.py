"""Measured costs on a terminal: a progress bar, and a table for each setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from harness.cli.console import err, out, print_json, print_text
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.specs.measured_cost import MeasuredCost


class BenchmarkProgress:
    """A progress bar with one step for each repeat of a setting; a context manager.

    Args:
        rows: The rows to measure.
        repeats: Number of processes for each row.
    """

    def __init__(self, rows: Sequence[MeasuredCost], repeats: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            # Each refresh is work on the device that is measured.
            refresh_per_second=1,
        )
        self._task = self._progress.add_task("measuring", total=repeats * len({row.setting for row in rows}))

    def __enter__(self) -> BenchmarkProgress:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def advance(self, rows: Sequence[MeasuredCost]) -> None:
        """Advance the bar by one step: all ``rows``, which have one setting, were measured once more."""
        setting = rows[0].setting
        description = escape_rich(f"batch {setting.batch}, {setting.precision}")
        self._progress.update(self._task, advance=1, description=description)

    def print_line(self, line: str) -> None:
        """Print a line above the bar."""
        print_text(line, err)


def print_costs(costs: Sequence[MeasuredCost], as_json: bool) -> None:
    """Print measured costs as a table for each setting, or as JSON."""
    from harness.reporting.page.benchmark_page import describe_benchmark, group_by_setting

    if as_json:
        print_json([cost.model_dump(mode="json") for cost in costs], indent=None)
        return
    for title, setting_costs in group_by_setting(costs):
        out.print_table(_costs_table(title, setting_costs))
        out.print()
    for note in describe_benchmark(costs):
        print_text(note)


def _costs_table(title: str, costs: Sequence[MeasuredCost]) -> Table:
    """Return the table of one setting, without its empty columns.

    The title gives the batch size. A column for it is shown only if some rows had to use a smaller batch.
    """
    from harness.reporting.formatting import ABSENT
    from harness.reporting.page.benchmark_page import HEADINGS, format_benchmark_cells
    from harness.reporting.page.benchmark_table import build_benchmark_rows

    rows = [format_benchmark_cells(row) for row in build_benchmark_rows(costs)]
    has_smaller_batch = any(cost.fitted for cost in costs)
    columns = [
        index
        for index, values in enumerate(zip(*rows, strict=True))
        if set(values) != {ABSENT} and (HEADINGS[index] != "Batch" or has_smaller_batch)
    ]
    table = Table(title=escape_rich(title), box=None, header_style="bold", title_justify="left", title_style="bold")
    for index in columns:
        table.add_column(HEADINGS[index], justify="left" if index < 2 else "right", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(escape_rich(row[index]) for index in columns))
    return table
