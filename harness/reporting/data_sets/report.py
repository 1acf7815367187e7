"""The report of an experiment over several data sets: a page over all of them, and an ordinary page for each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from harness.io.output_directory import install_files
from harness.reporting.data_sets.effects import build_components_over_data
from harness.reporting.data_sets.forest_plot import draw_forest_plot, forest_plot_height
from harness.reporting.data_sets.page import DrawnContrast, build_page_content, list_drawn
from harness.reporting.data_sets.verdicts import decide_data_sets, list_verdicts
from harness.reporting.figures.report_figures import FIGURE_NAMES, WIDTH
from harness.reporting.figures.style import render_figure
from harness.reporting.page.report import (
    FIGURE_SUFFIXES,
    format_experiment_yaml,
    render_with_figures,
    require_reportable,
    write_report,
)
from harness.reporting.page.template import render_template
from harness.reporting.verdicts.verdict import Verdict
from harness.tracking.results_csv import format_csv
from harness.tracking.results_table import Results

FOLDER = "data-sets"
"""Directory of the pages of single data sets, below that of the report."""
MOST_FIGURES = 40
"""Forest plots that an earlier report of the same name may have left."""


def write_experiment_report(results: Results, directory: Path) -> list[Verdict]:
    """Write the report of an experiment with one or several data sets; equal results give equal bytes.

    Returns:
        One verdict per declared contrast. With several data sets, the verdict over all of them, followed by those on
        each data set.

    Raises:
        HarnessError: No trial is recorded, or the directory cannot be written to. Then no file is changed.
    """
    if len(results.study.data_sets) == 1:
        return write_report(results, directory)
    require_reportable(results, directory)
    return write_data_sets_report(results, directory)


def write_data_sets_report(results: Results, directory: Path) -> list[Verdict]:
    """Write the report of an experiment over several data sets; equal results give equal bytes.

    Returns:
        For each contrast the verdict over all data sets, then those on each of them.

    Raises:
        HarnessError: The directory cannot be written to. Then no file is changed.
    """
    several = decide_data_sets(results)
    infos = {info.title: info for info in results.study.data_sets}
    components = [build_components_over_data(verdicts, infos) for verdicts in several]
    content = {"results.csv": format_csv(results), "experiment.yaml": format_experiment_yaml(results.study)}
    figures = {f"figures/{key}": figure for key, figure in draw_forest_plots(list_drawn(several, components)).items()}
    for view in results.views:
        own = [verdicts.verdicts[view.study.data.title] for verdicts in several]
        folder = f"{FOLDER}/{view.study.data.title}"
        if len(view.epochs):
            page, drawn = render_with_figures(view, own)
            figures |= {f"{folder}/figures/{key}": figure for key, figure in drawn.items()}
            content[f"{folder}/README.md"] = _link_to_whole(page, view.study.data.title).encode()
    content |= {f"{key}.{suffix}": figure[suffix] for key, figure in figures.items() for suffix in FIGURE_SUFFIXES}
    whole = build_page_content(results, several, components, FOLDER)
    content["README.md"] = render_template("data_sets.md.j2", whole).encode()
    install_files(directory, content, [name for name in _list_possible_files(results) if name not in content])
    return [verdict for verdicts in several for verdict in list_verdicts(verdicts)]


def draw_forest_plots(contrasts: Mapping[str, DrawnContrast]) -> dict[str, dict[str, bytes]]:
    """Return the forest plot of each contrast that has one, by name."""
    figures = {}
    for name, drawn in contrasts.items():
        height, draw = forest_plot_height(drawn.components), partial(draw_forest_plot, components=drawn.components)
        figures[name] = render_figure(WIDTH, height, draw)
    return figures


def _link_to_whole(page: str, data_set: str) -> str:
    """Return the page of one data set with links to the files of the whole report."""
    heading, _, rest = page.partition("\n")
    note = "This page is on one data set of several; [the report over all of them](../../README.md) has the answer."
    rest = rest.replace("](experiment.yaml)", "](../../experiment.yaml)")
    return f"{heading}, on {data_set}\n\n{note}\n{rest}"


def _list_possible_files(results: Results) -> list[str]:
    """Return the figures that an earlier report may have written, as paths relative to its directory."""
    keys = [f"figures/{key}" for key in FIGURE_NAMES]
    keys += [f"figures/forest-{number}" for number in range(1, MOST_FIGURES)]
    keys += [f"{FOLDER}/{info.title}/figures/{key}" for info in results.study.data_sets for key in FIGURE_NAMES]
    return [f"{key}.{suffix}" for key in keys for suffix in FIGURE_SUFFIXES]
