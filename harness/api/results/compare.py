"""Compare the results of several experiments: in one report, or as the changes from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.results.collect import read_results
from harness.api.results.report import record_analyses
from harness.errors import HarnessError, suggest_nearest
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.reporting.diff.results_diff import Diff


def combine(names: Sequence[str], name: str, settings: Settings) -> Path:
    """Write one report over several experiments and return the path of its page.

    Args:
        names: Each an experiment's name or the path of a results.csv.
        name: Name of the report.

    Raises:
        HarnessError: A result cannot be read, or ``name`` cannot be the name of a report.
    """
    from harness.reporting.comparison.comparison import write_comparison
    from harness.reporting.data_sets.separate import separate_data_sets

    require_report_name(name)
    directory = settings.reports / name
    several = [record_analyses(*read_results(each, settings)) for each in names]
    write_comparison([part for results in several for part in separate_data_sets(results)], directory)
    return directory / "README.md"


def diff(
    old: str, new: str, settings: Settings, level: float, smallest: float, smallest_time: float, metrics: Sequence[str]
) -> Diff:
    """Return what changed beyond noise from one experiment's results to another's.

    Args:
        old: The path of a results.csv, or an experiment's name; ``new`` as well.
        level: Significance level of all tests together.
        smallest: Smallest change of an error that counts, in percentage points.
        smallest_time: Smallest change of a time that counts, in percent.
        metrics: Keys of the errors to compare.

    Raises:
        HarnessError: A result cannot be read, the two cannot be compared, or a limit is out of its range.
    """
    from harness.reporting.data_sets.separate import compare_data_sets
    from harness.tracking.metrics import EVALUATED_ERRORS

    for key in metrics:
        if key not in EVALUATED_ERRORS:
            raise HarnessError(
                f"'{key[:60]}' is not an error metric",
                where="--metric",
                remedy=suggest_nearest(key, EVALUATED_ERRORS),
            )
    limits = (("--level", level, 0.5), ("--smallest", smallest, 100.0), ("--smallest-time", smallest_time, 1e6))
    for option, value, limit in limits:
        if not 0 <= value < limit or (option == "--level" and value == 0):
            lowest = "more than 0" if option == "--level" else "0 or more"
            raise HarnessError(
                f"{value:g} is out of range", where=option, remedy=f"Use {lowest}, and less than {limit:g}."
            )
    before, after = read_results(old, settings)[0], read_results(new, settings)[0]
    return compare_data_sets(before, after, level, smallest, smallest_time, metrics)


def require_report_name(name: str) -> None:
    """Check that a name can be the directory of a report; a path, for example, cannot.

    Raises:
        HarnessError: It cannot.
    """
    from pydantic import TypeAdapter, ValidationError

    from harness.specs.experiment.experiment import Name

    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise HarnessError(
            f"'{name[:60]}' cannot be the name of a report",
            where="--name",
            remedy="Use lower-case letters, digits, dots, dashes and underscores.",
        ) from error
