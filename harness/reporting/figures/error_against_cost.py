"""The figure of test error against cost: each variant a point, and the Pareto front as a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from harness.reporting.figures.estimate_marks import EstimateStyle, draw_estimate
from harness.reporting.figures.label_placement import LABEL_SIZE, choose_log_ticks, place_labels
from harness.reporting.figures.pareto_front import find_pareto_front
from harness.reporting.figures.series import group_into_series, shorten_label
from harness.reporting.figures.style import INK, draw_series_legend, panel_grid, scale_error_axis
from harness.reporting.statistics.error_intervals import count_images
from harness.reporting.statistics.intervals import estimate_mean
from harness.reporting.statistics.seed_values import list_seed_values
from harness.reporting.variance.mean_error import estimate_error
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS
from harness.tracking.metrics import LATENCY, MACS, METRICS, PARAMETERS, TEST_ERROR, TRAINING_SECONDS
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR_METRIC = TEST_ERROR
MIN_POINTS = 3
"""Fewest variants for which there is a panel; fewer can be read in the table."""
MAX_SERIES_IN_LEGEND = 8
MAX_LABELLED_POINTS = 10
"""Most variants for which every point has its name; of more, only those on the front have."""
POINT_STYLE = EstimateStyle(marker_size=8.0, bar_width=2.0, bar_alpha=0.5, zorder=2)


@dataclass(frozen=True)
class CostAxis:
    """The cost axis of one panel.

    Attributes:
        label: Its label in the figure.
        name: Its name in the caption.
        unit: Its unit, to which the ticks add a prefix such as milli.
    """

    label: str
    name: str
    unit: str = ""


COSTS = {
    MACS: CostAxis(METRICS[MACS].label, "MACs"),
    PARAMETERS: CostAxis(METRICS[PARAMETERS].label, "parameters"),
    LATENCY: CostAxis("Latency of one image, measured", "measured latency", "s"),
    TRAINING_SECONDS: CostAxis("Training time of a trial", "training time", "s"),
}
"""Cost axes by their metric, in the order of the panels."""


@dataclass(frozen=True)
class CostPoint:
    """A variant with its cost and its mean test error.

    Attributes:
        variant: Its name.
        label: The text beside its point: the depth alone, if the legend names the rest.
        error: Mean over seeds, in percent.
        interval: Both ends of the error's interval; None where none is shown.
    """

    variant: str
    label: str
    cost: float
    error: float
    interval: tuple[float, float] | None
    colour: str
    marker: str


CostPanels = Mapping[str, list[CostPoint]]
"""The points of each panel, by the metric of its cost. A report computes them once, by :func:`list_cost_panels`."""


def list_cost_points(results: Results, metric: str = MACS) -> list[CostPoint]:
    """Return a point for each variant with a test error and a cost.

    The list is empty for fewer than three variants, and where all of them have the same cost.
    """
    final, points, lines = results.final, [], group_into_series(results.study)
    comparable = _select_comparable(final, metric)
    for line in lines:
        for variant in line.variants:
            error = estimate_error(results.study, final, variant, ERROR_METRIC)
            costs = list_seed_values(comparable, variant, metric)
            if error is None or not costs:
                continue
            depth_suffices = len(line.variants) > 1 and len(lines) <= MAX_SERIES_IN_LEGEND
            points.append(
                CostPoint(
                    variant.name,
                    str(variant.depth) if depth_suffices else shorten_label(variant.name),
                    estimate_mean(costs).mean,
                    error.estimate.mean,
                    error.ends,
                    line.colour,
                    line.marker,
                )
            )
    return points if len(points) >= MIN_POINTS and len({point.cost for point in points}) > 1 else []


def _select_comparable(final: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the trials whose cost may be compared.

    Counted costs may always be. Times may be where all trials had the same conditions; training times also need an
    exclusive device, and only finished trials count, because a diverged one ended early.
    """
    if METRICS[metric].unit != "s":
        return final
    nothing = final.iloc[:0]
    timed = final[final[metric].notna()]
    if len(timed[list(CONDITIONS)].drop_duplicates()) > 1:
        return nothing
    if metric != TRAINING_SECONDS:
        return timed
    return nothing if final["shared"].any() else timed[timed["outcome"] == TrialStatus.FINISHED]


def list_cost_panels(results: Results) -> CostPanels:
    """Return the points of each cost that can be drawn, by its metric."""
    panels = {metric: list_cost_points(results, metric) for metric in COSTS}
    return {metric: points for metric, points in panels.items() if points}


def find_cost_fronts(panels: CostPanels) -> list[tuple[str, list[str]]]:
    """Return for each panel the name of its cost, and the variants on its Pareto front."""
    return [
        (COSTS[metric].name, [point.variant for point in select_pareto_front(points)])
        for metric, points in panels.items()
    ]


def select_pareto_front(points: list[CostPoint]) -> list[CostPoint]:
    """Return the points on the Pareto front of cost and mean error, by rising cost."""
    return [points[index] for index in find_pareto_front([(point.cost, point.error) for point in points])]


def draw_error_against_cost(figure: Figure, results: Results, panels: CostPanels) -> None:
    """Draw a panel of test error against each recorded cost, on a logarithmic cost axis."""
    grid = figure.subplots(*panel_grid(len(panels)), sharey=True, squeeze=False)
    for axes, (metric, points) in zip(grid.ravel(), panels.items(), strict=True):
        _draw_panel(axes, points, COSTS[metric])
    drawn = [value for points in panels.values() for p in points for value in (p.error, *(p.interval or ()))]
    low, high = min(drawn), max(drawn)
    for axes, points in zip(grid.ravel(), panels.values(), strict=True):
        scale_error_axis(axes, drawn, count_images(ERROR_METRIC, results.study.data), METRICS[ERROR_METRIC].title)
        if axes not in grid[:, 0]:
            axes.set_ylabel("")
        if low > 0.4 * high:
            # An axis from zero would leave most of the panel empty.
            axes.set_ylim(low - 0.15 * (high - low), high + 0.15 * (high - low))
        _draw_labels(axes, points, figure.get_figwidth() / grid.shape[1], figure.get_figheight() / grid.shape[0])
    lines = group_into_series(results.study)
    if 1 < len(lines) <= MAX_SERIES_IN_LEGEND:
        draw_series_legend(figure, lines)


def _draw_panel(axes: Axes, points: list[CostPoint], cost: CostAxis) -> None:
    from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullLocator

    for a, b in pairwise(select_pareto_front(points)):
        axes.plot([a.cost, b.cost, b.cost], [a.error, a.error, b.error], color=INK, linewidth=1.1, alpha=0.55, zorder=1)
    for point in points:
        draw_estimate(
            axes, point.cost, point.error, point.interval, point.colour, point.marker, style=POINT_STYLE
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel(cost.label)
    axes.margins(x=0.2)
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(FixedLocator(choose_log_ticks(low, high)))
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: EngFormatter(cost.unit, sep=" ")(value)))
    axes.xaxis.set_minor_locator(NullLocator())


def _draw_labels(axes: Axes, points: list[CostPoint], width: float, height: float) -> None:
    """Write labels beside the points where there is room, those on the front first.

    Args:
        width: Width of the panel, in inches.
        height: Height of the panel, in inches.
    """
    front = select_pareto_front(points)
    others = [point for point in points if point not in front]
    labelled = front + (others if len(points) <= MAX_LABELLED_POINTS else [])
    # The layout engine sets the final size of the axes later. So positions are fractions of an approximate inner size.
    inner_width, inner_height = 72 * (width - 0.8), 72 * (height - 1.0)
    to_fraction = axes.transData + axes.transAxes.inverted()
    fractions = [to_fraction.transform((point.cost, point.error)) for point in front + others]
    positions = [(x * inner_width, y * inner_height) for x, y in fractions]
    placements = place_labels(positions, [point.label for point in labelled], inner_width)
    for point, placement in zip(labelled, placements, strict=True):
        if placement is not None:
            axes.annotate(
                point.label, (point.cost, point.error), xytext=(placement.dx, placement.dy),
                textcoords="offset points", ha=placement.align, fontsize=LABEL_SIZE, color=INK, zorder=5,
            )  # fmt: skip
