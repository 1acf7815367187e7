"""Write the report of an experiment, or all reports again."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.results.collect import read_results
from harness.errors import HarnessError
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.reporting.verdicts.verdict import Verdict
    from harness.tracking.record import Record
    from harness.tracking.results_table import Results


def report(name: str, settings: Settings) -> tuple[list[Verdict], Path]:
    """Write the report of an experiment from the record, or from a results.csv. Trains nothing.

    Args:
        name: The path of a results.csv, or an experiment's name.

    Returns:
        Its verdicts, and the path of its README.md.

    Raises:
        HarnessError: There is no such record, or the directory cannot be written to.
    """
    from harness.io.output_directory import require_report_directory
    from harness.reporting.data_sets.report import write_experiment_report
    from harness.reporting.data_sets.verdicts import select_verdicts
    from harness.reporting.page.mlflow_descriptions import describe_experiment, describe_variants

    results, record = read_results(name, settings)
    directory = settings.reports / results.study.experiment.name
    require_report_directory(directory)
    results = record_analyses(results, record)
    verdicts = write_experiment_report(results, directory)
    if record is not None and record.is_read_only:
        warnings.warn(f"{record.address} may only be read, so MLflow does not show this report", stacklevel=2)
    elif record is not None:
        record.attach_report(directory, describe_experiment(results, select_verdicts(verdicts)))
        for view in results.views:
            if len(view.epochs):
                own = select_verdicts(verdicts, view.study.data.title)
                record.describe_variants(view.study, describe_variants(view, own))
    return verdicts, directory / "README.md"


def report_all(settings: Settings) -> list[Path]:
    """Write every report below ``settings.reports`` again, each from its own files, and an index of them.

    Returns:
        The paths of the pages, the index last.

    Raises:
        HarnessError: A report cannot be read or written. Nothing is written if one cannot be read.
    """
    from harness.reporting.index import rebuild_reports

    return rebuild_reports(settings.reports)


def record_analyses(results: Results, record: Record | None) -> Results:
    """Add an analysis to the results for each contrast with results, and return the results as the report shows them.

    The analyses are written to the record before a verdict is shown. Results from a results.csv keep what the file
    holds.

    Args:
        record: The record of the results; None if they come from a results.csv.

    Raises:
        HarnessError: The report would be a new test of the results, and the record may only be read.
    """
    from harness.reporting.analyses.recording import build_log, is_in_looks, trim_analyses
    from harness.reporting.data_sets.verdicts import decide_views
    from harness.specs.declarations.analysis import current_time, merge_logs
    from harness.specs.declarations.declare import add_logs
    from harness.tracking.analyses.analysis_log import add_other_analyses, write_analyses

    if record is None:
        return results
    results = replace(results, study=add_other_analyses(record, results.study))
    at = current_time()
    views = zip(results.views, decide_views(results), strict=True)
    log = merge_logs(build_log(view, verdicts, at) for view, verdicts in views)
    is_new = add_logs(results.study, [log]) is not results.study
    if is_new and record.is_read_only:
        tested = [analysis for analysis in log.analyses if not analysis.is_preview]
        if not is_in_looks(results.study, tested):
            raise HarnessError(
                "this report would be a new analysis of the results, which the record has to keep, and the record may "
                "only be read",
                where=record.address,
                remedy="Write the report where the record may be written, or from a copy of the directory.",
            )
        return results
    return replace(results, study=trim_analyses(write_analyses(record, results.study, log), log.analyses))
