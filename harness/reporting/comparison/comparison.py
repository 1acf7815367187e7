"""The comparison report over several experiments: README.md, figures/, and a results table of each in results/."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.io.output_directory import install_files, require_report_directory
from harness.reporting.comparison.comparison_content import build_comparison_content
from harness.reporting.comparison.errors_figure import compute_figure_size, draw_errors_side_by_side, is_drawable
from harness.reporting.comparison.experiment_results import group_by_data, label_experiments
from harness.reporting.figures.style import render_figure
from harness.reporting.page.report import FIGURE_SUFFIXES
from harness.reporting.page.template import render_template
from harness.tracking.results_csv import format_csv, read_csv
from harness.tracking.results_table import Results

TABLE_NAME = re.compile(r"^\d+-[a-z0-9][a-z0-9._-]*\.csv$")
"""Name of an experiment's table in results/: its number in the report, and the experiment's name."""


def read_comparison(directory: Path) -> list[Results]:
    """Read the results tables of a comparison report, in the order of its experiments.

    Raises:
        HarnessError: There is no table, one cannot be read, or a CSV file there has another kind of name.
    """
    files = sorted((directory / "results").glob("*.csv"), key=lambda file: file.name)
    if not files:
        raise HarnessError(
            "there is no results table",
            where=str(directory / "results"),
            remedy="Write the report again: harness report A B --name NAME.",
        )
    for file in files:
        if not TABLE_NAME.match(file.name):
            raise HarnessError(
                "the name of this file is not that of a table of the report",
                where=str(file),
                remedy="Move it to another directory.",
            )
    return [read_csv(file) for file in sorted(files, key=lambda file: int(file.name.partition("-")[0]))]


def write_comparison(several: Sequence[Results], directory: Path) -> None:
    """Write the comparison report of several experiments into ``directory``; equal results give equal bytes.

    Raises:
        HarnessError: An experiment has no recorded trial or is given twice, or the directory cannot be written to.
    """
    require_report_directory(directory, "comparison")
    tables = [format_csv(results) for results in several]
    _require_distinct_results(several, tables)
    experiments = label_experiments(several)
    groups = group_by_data(experiments)
    digits = len(str(len(several)))
    content = {
        f"results/{number:0{digits}}-{results.study.experiment.name}.csv": table
        for number, (results, table) in enumerate(zip(several, tables, strict=True), 1)
    }
    figures = {}
    if is_drawable(groups):
        size = compute_figure_size(groups)
        figures["errors"] = render_figure(*size, lambda figure: draw_errors_side_by_side(figure, groups))
    content |= {
        f"figures/{key}.{suffix}": figure[suffix] for key, figure in figures.items() for suffix in FIGURE_SUFFIXES
    }
    page = build_comparison_content(directory.name, experiments, groups, list(figures))
    content["README.md"] = render_template("comparison.md.j2", page).encode()
    install_files(directory, content, [name for name in _list_report_files(directory) if name not in content])


def _require_distinct_results(several: Sequence[Results], tables: Sequence[bytes]) -> None:
    """Check that every experiment has a recorded trial, and that no results are given twice.

    Raises:
        HarnessError: An experiment has no trial, or two tables are equal.
    """
    for results, table in zip(several, tables, strict=True):
        name = results.study.experiment.name
        if not len(results.epochs):
            raise HarnessError(f"no trial of '{name}' is recorded", remedy=f"Run `harness run {name}` first.")
        if tables.count(table) > 1:
            raise HarnessError(f"the same results of '{name}' are given twice", remedy="Name each of them once.")


def _list_report_files(directory: Path) -> list[str]:
    """Return the tables and figures of an earlier report in a directory, as paths relative to it."""
    tables = [path for path in directory.glob("results/*.csv") if TABLE_NAME.match(path.name)]
    figures = [directory / f"figures/errors.{suffix}" for suffix in FIGURE_SUFFIXES]
    return [str(path.relative_to(directory)) for path in (*tables, *figures)]
