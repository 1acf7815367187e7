"""Error against cost: each variant a point, and the front of those that none beats in both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.reporting.canvas import INK, error_axis
from harness.reporting.components import images, shown_interval
from harness.reporting.series import series, shortened, values
from harness.reporting.statistics import mean_interval, pareto_front
from harness.tracking.metrics import METRICS
from harness.tracking.table import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR = "test/error"
FEWEST = 3
"""Variants below which a table says it all."""
SPELT_OUT = 10
"""Variants up to which each point has its name beside it; of more, those on the front."""


@dataclass(frozen=True)
class Point:
    """A variant: its cost for one image, its mean test error in percent over ``n`` seeds, and how it is drawn."""

    name: str
    cost: float
    error: float
    bounds: tuple[float, float] | None
    colour: str
    marker: str


def cost_points(results: Results, key: str = "cost/macs") -> list[Point]:
    """One for each variant of which an error is recorded; none where all cost the same."""
    final, points = results.final, []
    for line in series(results.study):
        for variant in line.variants:
            errors = values(final, variant, ERROR)
            if errors:
                estimate = mean_interval(errors)
                bounds = shown_interval(estimate, ERROR, results.study.data)
                cost = float(final.loc[final["variant"] == variant.name, key].iloc[0])
                between = (bounds.low, bounds.high) if bounds is not None else None
                points.append(Point(variant.name, cost, estimate.mean, between, line.colour, line.marker))
    return points if len(points) >= FEWEST and len({point.cost for point in points}) > 1 else []


def on_front(points: list[Point]) -> list[Point]:
    """Those that no other beats in cost and in mean error, by rising cost."""
    return [points[index] for index in pareto_front([(point.cost, point.error) for point in points])]


def draw_costs(figure: Figure, results: Results) -> None:
    """Test error against MACs, both axes from the data, MACs logarithmic."""
    points = cost_points(results)
    axes = figure.add_subplot()
    _panel(axes, results, points)
    labels = {line.label: line for line in series(results.study)}
    if 1 < len(labels) <= 8:
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=line.colour, marker=line.marker, linestyle="", markersize=7, label=label)
            for label, line in labels.items()
        ]
        figure.legend(handles=handles, loc="outside upper center", borderaxespad=0.5, ncols=min(len(handles), 4))


def _panel(axes: Axes, results: Results, points: list[Point]) -> None:
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullLocator

    front = on_front(points)
    for a, b in pairwise(front):
        axes.plot([a.cost, b.cost, b.cost], [a.error, a.error, b.error], color=INK, linewidth=1.1, alpha=0.55, zorder=1)
    shown: list[float] = []
    for point in points:
        if point.bounds is not None:
            axes.plot([point.cost] * 2, point.bounds, color=point.colour, linewidth=2, alpha=0.5, zorder=2)
        axes.plot(
            [point.cost], [point.error], color=point.colour, marker=point.marker, markersize=8,
            markeredgecolor="white", markeredgewidth=0.9, linestyle="", zorder=4,
        )  # fmt: skip
        shown += [point.error, *(point.bounds or ())]
        if point in front or len(points) <= SPELT_OUT:
            # Twins cost about the same: the better one's name stands on the right, the other's on the left.
            side, align = (8, "left") if point in front else (-8, "right")
            axes.annotate(
                shortened(point.name), (point.cost, point.error), xytext=(side, 3), textcoords="offset points",
                ha=align, fontsize=8, color=INK, zorder=5,
            )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("MACs per image (convolutions and linear layers)")
    axes.margins(x=0.2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: EngFormatter(sep=" ")(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    error_axis(axes, shown, images(ERROR, results.study.data))
    axes.set_title(METRICS[ERROR].title)
