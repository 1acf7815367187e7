"""Error against cost: each variant a point, and the front of those that none beats in both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from harness.reporting.figures.label_placement import LABEL_SIZE, place_labels, choose_log_ticks
from harness.reporting.figures.style import INK, scale_error_axis, draw_series_legend
from harness.reporting.series import group_into_series, shorten_label, list_seed_values
from harness.reporting.statistics.estimates import estimate_mean, find_pareto_front
from harness.reporting.verdicts.components import count_images, select_error_interval
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR_METRIC = "test/error"
MIN_POINTS = 3
"""Variants below which a table says it all."""
MAX_SERIES_IN_LEGEND = 8
MAX_LABELLED_POINTS = 10
"""Variants up to which each point is named; of more, those on the front."""


@dataclass(frozen=True)
class CostAxis:
    """One panel.

    Attributes:
        axis: Its label.
        word: What the caption calls it.
        unit: Its unit, with the prefix that the ticks give it.
    """

    axis: str
    word: str
    unit: str = ""


COSTS = {
    "cost/macs": CostAxis("MACs per image", "MACs"),
    "cost/params": CostAxis("Parameters", "parameters"),
    "bench/latency_s": CostAxis("Latency of one image, measured", "measured latency", "s"),
    "time/train_s": CostAxis("Training time of a trial", "training time", "s"),
}


@dataclass(frozen=True)
class CostPoint:
    """A variant: its cost for one image, its mean test error in percent over seeds, and how it is drawn.

    Attributes:
        called: What stands beside the point: the depth, where the legend says the rest.
    """

    name: str
    called: str
    cost: float
    error: float
    bounds: tuple[float, float] | None
    colour: str
    marker: str


def list_cost_points(results: Results, key: str = "cost/macs") -> list[CostPoint]:
    """One for each variant of which error and cost are recorded; none where all cost the same."""
    final, points, lines = results.final, [], group_into_series(results.study)
    for line in lines:
        for variant in line.variants:
            errors, costs = list_seed_values(final, variant, ERROR_METRIC), list_seed_values(_comparable(final, key), variant, key)
            if errors and costs:
                estimate = estimate_mean(errors)
                bounds = select_error_interval(estimate, ERROR_METRIC, results.study.data)
                between = (bounds.low, bounds.high) if bounds is not None else None
                depth_says_it = len(line.variants) > 1 and len(lines) <= MAX_SERIES_IN_LEGEND
                called = str(variant.depth) if depth_says_it else shorten_label(variant.name)
                cost = estimate_mean(costs).mean
                points.append(CostPoint(variant.name, called, cost, estimate.mean, between, line.colour, line.marker))
    return points if len(points) >= MIN_POINTS and len({point.cost for point in points}) > 1 else []


def _comparable(final: pd.DataFrame, key: str) -> pd.DataFrame:
    """The rows whose cost may be compared. Of times: none where conditions differ. Of training time: none where any
    trial shared its device; diverged trials ended early and do not count.
    """
    if METRICS[key].unit != "s":
        return final
    timed = final[final[key].notna()]
    if len(timed[list(CONDITIONS)].drop_duplicates()) > 1:
        return final.iloc[:0]
    if key != "time/train_s":
        return timed
    return final.iloc[:0] if final["shared"].any() else timed[timed["outcome"] == TrialStatus.FINISHED]


def find_cost_fronts(results: Results) -> list[tuple[str, list[str]]]:
    """For each panel what its cost is called, and the names of the variants on its front."""
    drawn = {key: points for key in COSTS if (points := list_cost_points(results, key))}
    return [(COSTS[key].word, [point.name for point in select_pareto_front(points)]) for key, points in drawn.items()]


def select_pareto_front(points: list[CostPoint]) -> list[CostPoint]:
    """Those that no other beats in cost and in mean error, by rising cost."""
    return [points[index] for index in find_pareto_front([(point.cost, point.error) for point in points])]


def grid_of(panels: int) -> tuple[int, int]:
    """Rows and columns; four costs are the most there are."""
    return (1, panels) if panels < 4 else (2, 2)


def draw_error_against_cost(figure: Figure, results: Results) -> None:
    """Test error against each cost that is recorded, on logarithmic axes."""
    panels = {key: points for key in COSTS if (points := list_cost_points(results, key))}
    grid = figure.subplots(*grid_of(len(panels)), sharey=True, squeeze=False)
    for axes, (key, points) in zip(grid.ravel(), panels.items(), strict=True):
        _panel(axes, points, COSTS[key])
    shown = [value for points in panels.values() for p in points for value in (p.error, *(p.bounds or ()))]
    for axes, points in zip(grid.ravel(), panels.values(), strict=True):
        scale_error_axis(axes, shown, count_images(ERROR_METRIC, results.study.data))
        if min(shown) > 0.4 * max(shown):
            # Nothing is read off a length here, and so much of nothing hides the rest.
            axes.set_ylim(min(shown) - 0.15 * (max(shown) - min(shown)), max(shown) + 0.15 * (max(shown) - min(shown)))
        _names(axes, points, figure.get_figwidth() / grid.shape[1], figure.get_figheight() / grid.shape[0])
    for row in grid:
        row[0].set_ylabel(METRICS[ERROR_METRIC].title)
    lines = group_into_series(results.study)
    if 1 < len(lines) <= MAX_SERIES_IN_LEGEND:
        draw_series_legend(figure, lines)


def _panel(axes: Axes, points: list[CostPoint], cost: CostAxis) -> None:
    from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullLocator

    for a, b in pairwise(select_pareto_front(points)):
        axes.plot([a.cost, b.cost, b.cost], [a.error, a.error, b.error], color=INK, linewidth=1.1, alpha=0.55, zorder=1)
    for point in points:
        if point.bounds is not None:
            axes.plot([point.cost] * 2, point.bounds, color=point.colour, linewidth=2, alpha=0.5, zorder=2)
        axes.plot(
            [point.cost], [point.error], color=point.colour, marker=point.marker, markersize=8,
            markeredgecolor="white", markeredgewidth=0.9, linestyle="", zorder=4,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel(cost.axis)
    axes.margins(x=0.2)
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(FixedLocator(choose_log_ticks(low, high)))
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: EngFormatter(cost.unit, sep=" ")(value)))
    axes.xaxis.set_minor_locator(NullLocator())


def _names(axes: Axes, points: list[CostPoint], width: float, height: float) -> None:
    """Names beside the points, those on the front first, where there is room in a panel of so many inches."""
    front = select_pareto_front(points)
    others = [point for point in points if point not in front]
    named = front + (others if len(points) <= MAX_LABELLED_POINTS else [])
    # Axes take their final size later; places within them, as fractions, do not change.
    inner = 72 * (width - 0.8), 72 * (height - 1.0)
    to_fraction = axes.transData + axes.transAxes.inverted()
    places = [to_fraction.transform((point.cost, point.error)) for point in front + others]
    where = place_labels([(x * inner[0], y * inner[1]) for x, y in places], [p.called for p in named], inner[0])
    for point, place in zip(named, where, strict=True):
        if place is not None:
            along, up, align = place
            axes.annotate(
                point.called, (point.cost, point.error), xytext=(along, up), textcoords="offset points",
                ha=align, fontsize=LABEL_SIZE, color=INK, zorder=5,
            )  # fmt: skip
