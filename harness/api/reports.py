"""Reports: of one experiment, of several, of all again; and two results held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.experiments import collect
from harness.api.settings import require_name
from harness.errors import HarnessError, suggest_nearest
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.reporting.compare.diff import Diff
    from harness.reporting.verdicts.verdict import Verdict
    from harness.tracking.record import Record
    from harness.tracking.results_table import Results


def results_of(name: str, settings: Settings) -> tuple[Results, Record | None]:
    """The results of an experiment: from a results.csv, which needs no record, or from the record by its name.

    Raises:
        HarnessError: There is no such file or record, or the file is not sound.
    """
    from harness.tracking.results_table import read_csv

    if name.endswith(".csv"):
        return read_csv(Path(name)), None
    return collect(Path(name).stem if name.endswith((".yaml", ".yml")) else name, settings)


def report(name: str, settings: Settings) -> tuple[list[Verdict], Path]:
    """Write the report of an experiment from the record, or from a results.csv; trains nothing.

    Returns:
        Its verdicts, and the path of its README.md.

    Raises:
        HarnessError: There is no such record, or the directory cannot be written to.
    """
    from harness.reporting.page.mlflow_descriptions import describe_variants
    from harness.io.output_directory import require_report_directory
    from harness.reporting.page.report import write_report
    from harness.reporting.verdicts.summaries import format_headline
    from harness.text import escape_markdown

    results, record = results_of(name, settings)
    directory = settings.reports / results.study.experiment.name
    require_report_directory(directory)
    results = _looked_at(results, record)
    verdicts = write_report(results, directory)
    if record is not None:
        question = escape_markdown(results.study.experiment.question)
        # The UI folds the note to its first paragraph, which therefore holds the answer too.
        record.attach_report(directory, f"**{question}** {format_headline(verdicts).removeprefix('> ')}")
        record.describe(results.study, describe_variants(results))
    return verdicts, directory / "README.md"


def _looked_at(results: Results, record: Record | None) -> Results:
    """The same with the looks that its verdicts are, which the record keeps before anybody sees them."""
    from harness.reporting.verdicts.interim_looks import add_looks
    from harness.reporting.verdicts.decision import decide_contrasts

    recorded, shown_then = add_looks(results, decide_contrasts(results))
    if record is not None and recorded.looks != results.study.looks:
        record.keep(recorded)
    return replace(results, study=shown_then)


def report_all(settings: Settings) -> list[Path]:
    """Every report below ``settings.reports`` again, each from its own files, and an index of them; reads no store.

    Returns:
        The pages, the index last.

    Raises:
        HarnessError: One of them cannot be read or written; what cannot be read is found before anything is written.
    """
    from harness.reporting.index import rebuild_reports

    return rebuild_reports(settings.reports)


def combine(names: Sequence[str], name: str, settings: Settings) -> Path:
    """One report over several experiments, each by its name in the record or its results.csv; the path of its page.

    Raises:
        HarnessError: One of them cannot be read, or ``name`` is no name of a report.
    """
    from harness.reporting.compare.comparison import write_comparison

    require_name(name)
    directory = settings.reports / name
    write_comparison([_looked_at(*results_of(each, settings)) for each in names], directory)
    return directory / "README.md"


def diff(
    old: str, new: str, settings: Settings, level: float, smallest: float, smallest_time: float, metrics: Sequence[str]
) -> Diff:
    """What changed beyond noise from one experiment's results to another's, each a name in the record or a results.csv.

    Raises:
        HarnessError: One cannot be read, they cannot be compared, or a limit is none.
    """
    from harness.reporting.compare.diff import compare_results
    from harness.tracking.metrics import EVALUATED_ERRORS

    for key in metrics:
        if key not in EVALUATED_ERRORS:
            raise HarnessError(f"'{key[:60]}' is no error", where="--metric", remedy=suggest_nearest(key, EVALUATED_ERRORS))
    for option, value, highest in (
        ("--level", level, 0.5), ("--smallest", smallest, 100.0), ("--smallest-time", smallest_time, 1e6)
    ):  # fmt: skip
        if not 0 <= value < highest or (option == "--level" and value == 0):
            raise HarnessError(f"{value:g} is out of range", where=option, remedy=f"Use a number below {highest:g}.")
    before, after = results_of(old, settings)[0], results_of(new, settings)[0]
    return compare_results(before, after, level, smallest, smallest_time, metrics)
