"""All reports of a directory again, each from its own files, and an index over them."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import quote

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.reporting.compare.comparison import read_comparison, write_comparison
from harness.reporting.formatting import format_quantity
from harness.reporting.page.limitations import count_fewest_seeds
from harness.reporting.page.output_directory import Kind, report_kind, require_report_directory
from harness.reporting.page.report import format_dates, render_template, write_report
from harness.reporting.verdicts.verdict import decide_contrasts
from harness.tracking.results_table import Results, read_csv

MARK = "<!-- Written by `harness report --all`, which replaces it. -->"
FIGURE = re.compile(r"^!\[(?P<alt>[^\]]*)\]\((?P<path>figures/[a-z-]+\.svg)\)$", re.MULTILINE)
WIDTH = 440
"""Of a figure in the index, in pixels."""


def rebuild_reports(reports: Path) -> list[Path]:
    """Write every report below ``reports`` again, and ``README.md`` there; equal results give equal bytes.

    Costs that `harness bench` measured stay as they are. All files are read before any is written.

    Returns:
        The pages that were written, the index last.

    Raises:
        HarnessError: There is no report, or one cannot be read or written.
    """
    found = sorted(path for path in reports.glob("*") if path.is_dir() and not path.name.startswith("."))
    kinds = {directory: kind for directory in found if (kind := report_kind(directory)) is not None}
    if not kinds:
        raise HarnessError("there is no report", where=str(reports), remedy="`harness run quickstart` writes one.")
    _require_index(reports / "README.md")
    for directory, kind in kinds.items():
        require_report_directory(directory, kind)
    parts = {directory: _read(directory, kind) for directory, kind in kinds.items()}
    for directory, kind in kinds.items():
        if kind == "experiment":
            write_report(parts[directory][0], directory)
        elif kind == "comparison":
            write_comparison(parts[directory], directory)
    entries = [_entry(directory, kind, parts[directory]) for directory, kind in kinds.items()]
    index = render_template("index.md.j2", {"mark": MARK, "entries": entries, "width": WIDTH})
    write_atomic(reports / "README.md", index.encode())
    return [*(directory / "README.md" for directory, kind in kinds.items() if kind != "costs"), reports / "README.md"]


def _read(directory: Path, kind: Kind) -> list[Results]:
    if kind == "costs":
        return []
    return [read_csv(directory / "results.csv")] if kind == "experiment" else read_comparison(directory)


def _require_index(path: Path) -> None:
    """Refuse to replace a page that somebody wrote.

    Raises:
        HarnessError: It is so, or leads elsewhere by a link.
    """
    if path.is_symlink() or (path.exists() and MARK not in path.read_text(errors="replace")):
        raise HarnessError(
            "this page was not written by `harness report --all`, which would replace it",
            where=str(path),
            remedy="Rename it, or remove it.",
        )


def _entry(directory: Path, kind: Kind, parts: list[Results]) -> dict[str, object]:
    """What the index says of one report."""
    page = directory / "README.md"
    image = FIGURE.search(page.read_text(errors="replace")) if kind != "costs" and page.exists() else None
    return {
        "name": directory.name,
        "link": quote(directory.name),
        "kind": kind,
        "answers": [
            {
                "experiment": part.study.experiment,
                "verdicts": [(v.title, v.state, *v.conclusion.partition(": ")) for v in decide_contrasts(part)],
                "measured": _measured(part),
            }
            for part in parts
        ],
        "figure": image["path"] if image else "",
        "alt": html.escape(image["alt"]) if image else "",
    }


def _measured(results: Results) -> str:
    final, study = results.final, results.study
    least, most = count_fewest_seeds(study, final), final.groupby("variant").size().max()
    n = f"n = {least}" if least == most else f"n = {least} to {most}"
    return (
        f"{n}; {format_quantity(len(final), 'trial')} of {format_quantity(len(study.variants), 'variant')} on {study.data.name}, "
        f"measured {format_dates(results.epochs['at'])}"
    )
