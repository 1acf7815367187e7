"""The first figure of a report: errors against depth, or, where such lines do not serve, a row per variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reporting.figures.estimate_marks import draw_estimate, draw_interval, draw_means, draw_seeds
from harness.reporting.figures.series import Series, group_into_series, shorten_label
from harness.reporting.figures.style import (
    INK,
    MARKERS,
    draw_series_legend,
    scale_error_axis,
    scale_linear_error_axis,
)
from harness.reporting.statistics.error_intervals import count_images
from harness.reporting.variance.mean_error import estimate_error
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, METRICS, ONLINE_TRAINING_ERROR, TEST_ERROR
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR_METRICS = (CLEAN_TRAINING_ERROR, ONLINE_TRAINING_ERROR, TEST_ERROR)


def list_drawn_errors(results: Results) -> list[str]:
    """Return the errors that were measured, each of which has a panel."""
    return [metric for metric in ERROR_METRICS if results.final[metric].notna().any()]


def draw_errors_by_depth(figure: Figure, results: Results) -> None:
    """Draw each error against depth: the first in a large panel, the others in smaller ones beside it.

    The large panel is always linear, so that lengths in it are sizes of effects.
    """
    metrics = list_drawn_errors(results)
    columns = 2 if len(metrics) > 1 else 1
    grid = figure.add_gridspec(max(len(metrics) - 1, 1), columns, width_ratios=[1.5, 1][:columns])
    cells = [grid[:, 0], *(grid[row, 1] for row in range(len(metrics) - 1))]
    lines = group_into_series(results.study)
    draw_series_legend(figure, lines)
    for number, (metric, cell) in enumerate(zip(metrics, cells, strict=True)):
        axes = figure.add_subplot(cell)
        _draw_depth_panel(axes, results, lines, metric, is_linear=number == 0)
        if number in (0, len(metrics) - 1):
            axes.set_xlabel("Depth (layers with weights)")


def _draw_depth_panel(axes: Axes, results: Results, lines: Sequence[Series], metric: str, is_linear: bool) -> None:
    depths = sorted({depth for line in lines for depth in line.depths})
    # Depths have equal distances: on a linear scale, 8 and 20 would hide each other beside 110.
    positions = {depth: float(index) for index, depth in enumerate(depths)}
    final, drawn = results.final, []
    for line in lines:
        xs, means = [], []
        for variant in line.variants:
            error = estimate_error(results.study, final, variant, metric)
            if error is None:
                continue
            neighbours = [other for other in lines if variant.depth in other.depths]
            # Lines are drawn side by side, but never so far apart that they would reach the next depth.
            step = min(0.2, 0.9 / len(neighbours))
            x = positions[variant.depth] + step * (neighbours.index(line) - (len(neighbours) - 1) / 2)
            draw_seeds(axes, x, error.values, line.colour, spread=0.7 * step)
            draw_interval(axes, x, error.ends, line.colour)
            drawn += error.values
            xs.append(x)
            means.append(error.estimate.mean)
        draw_means(axes, xs, means, line.colour, line.marker, line_width=1.6)
    axes.set_xticks(list(positions.values()), [str(depth) for depth in depths])
    axes.set_xlim(-0.5, len(depths) - 0.5)
    if is_linear:
        scale_linear_error_axis(axes)
    else:
        scale_error_axis(axes, drawn, count_images(metric, results.study.data))
    axes.set_title(METRICS[metric].title)


def draw_errors_by_variant(figure: Figure, results: Results) -> None:
    """Draw a panel for each error, with one row per variant."""
    from matplotlib.ticker import MaxNLocator

    variants, final, metrics = results.study.variants, results.final, list_drawn_errors(results)
    colours = {variant.name: line.colour for line in group_into_series(results.study) for variant in line.variants}
    for number, metric in enumerate(metrics):
        axes = figure.add_subplot(1, len(metrics), number + 1)
        for row, variant in enumerate(variants):
            error = estimate_error(results.study, final, variant, metric)
            if error is None:
                continue
            draw_estimate(
                axes, row, error.estimate.mean, error.ends, colours[variant.name], MARKERS[0],
                seeds=error.values, spread=0.3, orientation="horizontal",
            )  # fmt: skip
        names = [shorten_label(v.name) for v in variants] if number == 0 else [""] * len(variants)
        axes.set_yticks(range(len(variants)), names, color=INK)
        axes.set_ylim(len(variants) - 0.5, -0.5)
        axes.grid(True, axis="x")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_title(METRICS[metric].title, fontsize=9.5)
