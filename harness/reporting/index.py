"""All reports of a directory, written again from their own files, and the index page over them."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import quote

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.output_directory import Kind, report_kind, require_report_directory
from harness.reporting.comparison.comparison import read_comparison, write_comparison
from harness.reporting.data_sets.report import write_experiment_report
from harness.reporting.data_sets.verdicts import write_lines
from harness.reporting.formatting import format_dates, format_quantity, join_words
from harness.reporting.page.tables import count_fewest_seeds
from harness.reporting.page.template import render_template
from harness.tracking.results_csv import read_csv
from harness.tracking.results_table import Results

GENERATED_MARK = "<!-- Written by `harness report --all`, which replaces it. -->"
"""Stands in an index page that may be replaced."""
FIGURE = re.compile(r"^!\[(?P<alt>[^\]]*)\]\((?P<path>figures/[a-z-]+\.svg)\)$", re.MULTILINE)
FIGURE_WIDTH = 440
"""Width of a figure in the index, in pixels."""


def rebuild_reports(reports: Path) -> list[Path]:
    """Write every report below ``reports`` again, and the index ``README.md``; equal results give equal bytes.

    All files are read before any is written. Reports of measured costs are left as they are.

    Returns:
        The pages that were written, the index last.

    Raises:
        HarnessError: There is no report, or one cannot be read or written.
    """
    directories = sorted(path for path in reports.glob("*") if path.is_dir() and not path.name.startswith("."))
    kinds = {directory: kind for directory in directories if (kind := report_kind(directory)) is not None}
    if not kinds:
        raise HarnessError("there is no report", where=str(reports), remedy="`harness run quickstart` writes one.")
    _require_generated(reports / "README.md")
    for directory, kind in kinds.items():
        require_report_directory(directory, kind)
    results = {directory: _read_results(directory, kind) for directory, kind in kinds.items()}
    for directory, kind in kinds.items():
        if kind == "experiment":
            write_experiment_report(results[directory][0], directory)
        elif kind == "comparison":
            write_comparison(results[directory], directory)
    entries = [_build_entry(directory, kind, results[directory]) for directory, kind in kinds.items()]
    content = {"mark": GENERATED_MARK, "entries": entries, "width": FIGURE_WIDTH}
    write_atomic(reports / "README.md", render_template("index.md.j2", content).encode())
    pages = [directory / "README.md" for directory, kind in kinds.items() if kind != "costs"]
    return [*pages, reports / "README.md"]


def _read_results(directory: Path, kind: Kind) -> list[Results]:
    """Return the results of a report's experiments; none for a report of measured costs."""
    if kind == "costs":
        return []
    return [read_csv(directory / "results.csv")] if kind == "experiment" else read_comparison(directory)


def _require_generated(path: Path) -> None:
    """Check that an index page does not exist yet, or was generated.

    Raises:
        HarnessError: The page is a symbolic link, or was written by hand.
    """
    if path.is_symlink() or (path.exists() and GENERATED_MARK not in path.read_text(errors="replace")):
        raise HarnessError(
            "this page was not written by `harness report --all`, which would replace it",
            where=str(path),
            remedy="Rename it, or remove it.",
        )


def _build_entry(directory: Path, kind: Kind, several: list[Results]) -> dict[str, object]:
    """Return the values that the template shows of one report: the two lines of its answer, and its first figure."""
    page = directory / "README.md"
    figure = FIGURE.search(page.read_text(errors="replace")) if kind != "costs" and page.exists() else None
    return {
        "name": directory.name,
        "link": quote(directory.name),
        "kind": kind,
        "answers": [
            {
                "experiment": results.study.experiment,
                **write_lines(results)._asdict(),
                "measured": _describe_trials(results),
            }
            for results in several
        ],
        "figure": figure["path"] if figure else "",
        "alt": html.escape(figure["alt"]) if figure else "",
    }


def _describe_trials(results: Results) -> str:
    """Return n, the number of trials and variants, the data set and the dates, in words."""
    final, study, views = results.final, results.study, results.views
    fewest = min(count_fewest_seeds(view.study, view.final) for view in views)
    most = max(view.final.groupby("variant").size().max() for view in views)
    n = f"n = {fewest}" if fewest == most else f"n = {fewest} to {most}"
    trials, variants = format_quantity(len(final), "trial"), format_quantity(len(study.variants), "variant")
    data = join_words(info.title for info in study.data_sets)
    return f"{n}; {trials} of {variants} on {data}, measured {format_dates(results.epochs['at'])}"
