"""Measure what networks cost, and keep the measurements in the record."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.io.atomic_files import require_writable
from harness.settings import Settings
from harness.specs.measured_cost import CostSetting, MeasuredCost
from harness.tracking.mlflow_record.store.patience import patience_with_warnings
from harness.tracking.record import open_record

if TYPE_CHECKING:
    from pathlib import Path

    from harness.launchers.base import Notify
    from harness.launchers.benchmark import RunRequests

ReportRows = Callable[[Sequence[MeasuredCost]], None]
"""Receives the rows of a setting after each round of measurements."""


def measure_costs(
    rows: Sequence[MeasuredCost],
    repeats: int,
    seconds: float,
    settings: Settings,
    experiment: str | None = None,
    report: ReportRows = lambda rows: None,
    notify: Notify = lambda text: None,
) -> Iterator[list[MeasuredCost]]:
    """Measure rows, and record those of each setting as soon as they are complete.

    Args:
        repeats: Processes that measure each row.
        seconds: Time that each process spends in each phase.
        experiment: Name of the experiment whose record keeps the rows; None: a record of its own.
        notify: Receives messages for the user.

    Yields:
        The rows of each setting, once they are recorded.

    Raises:
        HarnessError: A row cannot be measured here. The settings that were complete before are recorded.
    """
    from harness.launchers.benchmark import measure_rows
    from harness.tracking.cost_metrics import COSTS_EXPERIMENT

    require_writable(settings.home, "--home")
    record = open_record(settings, experiment or COSTS_EXPERIMENT, patience=patience_with_warnings())
    with start_processes(settings, rows[0].setting, notify) as run_requests:
        for setting_rows in measure_rows(rows, repeats, seconds, run_requests, notify):
            report(setting_rows)
            if len(setting_rows[0].repeats) == repeats:
                for cost in setting_rows:
                    record.record_cost(cost)
                yield setting_rows


@contextmanager
def start_processes(settings: Settings, setting: CostSetting, notify: Notify) -> Iterator[RunRequests]:
    """Yield the function that measures in processes of its own: on this machine, or in a Ray task."""
    from harness.launchers.interleaved_processes import run_interleaved
    from harness.launchers.ray.benchmark_tasks import start_benchmark

    if settings.launcher == "inline" and settings.address is None:
        yield run_interleaved
    else:
        with start_benchmark(setting, settings.address, settings.accelerator, settings.wait, notify) as run_requests:
            yield run_requests


def require_benchmark_directory(name: str, settings: Settings) -> None:
    """Check that the page of a benchmark can be written, before anything is measured.

    Raises:
        HarnessError: The directory holds another kind of report, or cannot be written to.
    """
    from harness.io.output_directory import require_report_directory

    require_report_directory(settings.reports / name, "costs")


def write_benchmark(name: str, rows: Sequence[MeasuredCost], settings: Settings, command: Sequence[str]) -> Path:
    """Write the tables of a benchmark as ``<reports>/<name>/README.md``, and every raw value beside it.

    Args:
        command: The words of the command that measured the rows. Passwords in it are not written.

    Returns:
        The path of the page.

    Raises:
        HarnessError: The directory holds another kind of report, or cannot be written to.
    """
    from harness.reporting.page.benchmark_page import write_benchmark_report
    from harness.tracking.mlflow_record.store.addresses import redact_passwords

    require_benchmark_directory(name, settings)
    return write_benchmark_report(name, rows, settings.reports / name, redact_passwords(shlex.join(command)))
