"""The figure of a comparison report: errors of several experiments, with a row per network and a colour per experiment.

Experiments on unequal data are drawn in separate panels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.reporting.comparison.experiment_results import ExperimentResults, NetworkRow, match_networks
from harness.reporting.figures.estimate_marks import EstimateStyle, draw_estimate
from harness.reporting.figures.series import MAX_ROWS, shorten_label
from harness.reporting.figures.style import INK, MARKERS, PLAIN_COLOURS, RESIDUAL_COLOURS, draw_series_legend
from harness.reporting.variance.mean_error import estimate_error
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, METRICS, TEST_ERROR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_METRICS = (CLEAN_TRAINING_ERROR, TEST_ERROR)
COLOURS = (RESIDUAL_COLOURS[0], PLAIN_COLOURS[0], *RESIDUAL_COLOURS[1:], *PLAIN_COLOURS[1:])
ESTIMATE_STYLE = EstimateStyle(marker_size=6.5, point_alpha=0.35)
ROW_GAP = 0.4
"""Space between two networks, relative to the height of one experiment's row."""


class ExperimentStyle(NamedTuple):
    """Label, colour and marker of an experiment in this figure."""

    label: str
    colour: str
    marker: str


def is_drawable(groups: Sequence[Sequence[ExperimentResults]]) -> bool:
    """Return whether the figure has room for all networks."""
    return 0 < sum(len(match_networks(group)) for group in groups) <= MAX_ROWS


def compute_figure_size(groups: Sequence[Sequence[ExperimentResults]]) -> tuple[float, float]:
    """Return width and height of the figure in inches."""
    rows = [row for group in groups for row in match_networks(group)]
    return 9.2, 0.9 + 0.75 * len(groups) + 0.2 * sum(max(2, len(row.experiments) + ROW_GAP) for row in rows)


def draw_errors_side_by_side(figure: Figure, groups: Sequence[Sequence[ExperimentResults]]) -> None:
    """Draw clean training error and test error; each group of equal data has a row of panels with its own axes."""
    experiments = [experiment for group in groups for experiment in group]
    styles = {
        experiment.label: ExperimentStyle(
            shorten_label(experiment.label, 40), COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        )
        for i, experiment in enumerate(experiments)
    }
    tables = [match_networks(group) for group in groups]
    heights = [sum(len(row.experiments) + ROW_GAP for row in rows) + 1 for rows in tables]
    grid = figure.subplots(len(groups), len(PANEL_METRICS), squeeze=False, height_ratios=heights)
    draw_series_legend(figure, list(styles.values()))
    for panels, group, rows in zip(grid, groups, tables, strict=True):
        data = f"{shorten_label(group[0].results.study.data.name)}: " if len(groups) > 1 else ""
        for axes, metric in zip(panels, PANEL_METRICS, strict=True):
            _draw_panel(axes, rows, metric, styles, is_labelled=axes is panels[0])
            axes.set_title(f"{data}{METRICS[metric].title}", fontsize=9.5)


def _draw_panel(
    axes: Axes, rows: Sequence[NetworkRow], metric: str, styles: dict[str, ExperimentStyle], is_labelled: bool
) -> None:
    """Draw one error of all networks, an experiment below the other; ``is_labelled`` shows the networks' names."""
    from matplotlib.ticker import MaxNLocator

    ticks, position = [], 0.0
    for row in rows:
        ticks.append(position + (len(row.experiments) - 1) / 2)
        for experiment in row.experiments:
            error = estimate_error(experiment.results.study, experiment.final, row.variant, metric)
            if error is not None:
                style = styles[experiment.label]
                draw_estimate(
                    axes, position, error.estimate.mean, error.ends, style.colour, style.marker,
                    seeds=error.values, orientation="horizontal", style=ESTIMATE_STYLE,
                )  # fmt: skip
            position += 1
        position += ROW_GAP
    axes.set_yticks(ticks, [shorten_label(row.name, 34) if is_labelled else "" for row in rows], color=INK)
    axes.set_ylim(position - ROW_GAP, -1)
    axes.grid(True, axis="x")
    # Without this margin, half of a marker at zero would be cut off.
    axes.set_xlim(left=-0.025 * axes.get_xlim()[1])
    axes.xaxis.set_major_locator(MaxNLocator(4))
