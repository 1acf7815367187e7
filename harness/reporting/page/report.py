"""The report of one experiment: README.md, results.csv, experiment.yaml and figures/ in one directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.io.atomic_files import require_writable
from harness.io.output_directory import install_files, require_report_directory
from harness.io.yaml_writer import format_yaml
from harness.reporting.figures.error_against_cost import CostPanels, list_cost_panels
from harness.reporting.figures.report_figures import FIGURE_NAMES, draw_figures
from harness.reporting.page.report_content import build_report_content
from harness.reporting.page.template import render_template
from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import ResolvedExperiment
from harness.specs.experiment.data import exclude_from_data
from harness.tracking.results_csv import format_csv
from harness.tracking.results_table import Results

FIGURE_SUFFIXES = ("svg", "png")


def write_report(results: Results, directory: Path) -> list[Verdict]:
    """Write the report of an experiment into ``directory``; equal results give equal bytes.

    All files are made in memory before the first one is written, so that no half-written report is ever seen.

    Returns:
        One verdict per declared contrast.

    Raises:
        HarnessError: No trial is recorded, or the directory cannot be written to. Then no file is changed.
    """
    require_reportable(results, directory)
    verdicts = decide_contrasts(results)
    readme, figures = render_with_figures(results, verdicts)
    content = {"results.csv": format_csv(results)}
    content |= {
        f"figures/{key}.{suffix}": figure[suffix] for key, figure in figures.items() for suffix in FIGURE_SUFFIXES
    }
    content |= {"experiment.yaml": format_experiment_yaml(results.study), "README.md": readme.encode()}
    stale = [f"figures/{key}.{suffix}" for key in FIGURE_NAMES if key not in figures for suffix in FIGURE_SUFFIXES]
    install_files(directory, content, stale)
    return verdicts


def require_reportable(results: Results, directory: Path) -> None:
    """Check that a report can be written to ``directory``, and that there is something to report.

    Raises:
        HarnessError: No trial is recorded, or the directory cannot be written to.
    """
    require_report_directory(directory)
    require_writable(directory / "figures")
    name = results.study.experiment.name
    if not len(results.epochs):
        raise HarnessError(f"no trial of '{name}' is recorded", remedy=f"Run `harness run {name}` first.")


def render_with_figures(results: Results, verdicts: Sequence[Verdict]) -> tuple[str, dict[str, dict[str, bytes]]]:
    """Return the README.md of an experiment's report as text, and its figures as :func:`draw_figures` returns them.

    Args:
        verdicts: One per declared contrast.
    """
    cost_panels = list_cost_panels(results)
    figures = draw_figures(results, verdicts, cost_panels)
    return render_report(results, verdicts, list(figures), cost_panels), figures


def render_report(
    results: Results, verdicts: Sequence[Verdict], figures: Sequence[str], cost_panels: CostPanels | None = None
) -> str:
    """Return the README.md of an experiment's report as text.

    Args:
        verdicts: One per declared contrast.
        figures: Names of the figures that are drawn.
        cost_panels: Panels of the figure ``costs``; None: computed here.
    """
    panels = list_cost_panels(results) if cost_panels is None else cost_panels
    return render_template("report.md.j2", build_report_content(results, verdicts, figures, panels))


def format_experiment_yaml(study: ResolvedExperiment) -> bytes:
    """Return the experiment as it ran, overrides applied, as a YAML file that ``harness run`` accepts."""
    excluded: dict[str, Any] = {"data": exclude_from_data(study.experiment.data, "root")}
    if study.experiment.variance is not None:
        # They follow from the design, so that a changed design in this file has its own.
        excluded["seeds"] = True
    fields = study.experiment.model_dump(mode="json", exclude_defaults=True, exclude=excluded)
    return f"# {study.experiment.name} as it ran, with every override applied.\n{format_yaml(fields)}".encode()
