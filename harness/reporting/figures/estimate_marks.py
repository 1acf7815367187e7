"""The marks of an estimate in a figure: every seed a faint point, the interval a bar, the mean a marker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Orientation = Literal["vertical", "horizontal"]
"""Direction of the axis that shows the values."""


@dataclass(frozen=True)
class EstimateStyle:
    """The style of the marks of an estimate. Sizes are in typographic points (1/72 inch).

    Attributes:
        marker_size: Size of the mean's marker.
        marker_edge: Width of the white edge of that marker.
        bar_width: Line width of the interval's bar.
        bar_alpha: Opacity of that bar; None for an opaque one.
        bar_cap: ``butt`` ends the bar at the interval's ends, ``projecting`` half a line width beyond them.
        point_alpha: Opacity of the seeds' points.
        zorder: Drawing order of the interval. Seeds lie one below it, the mean one above it.
    """

    marker_size: float = 7.0
    marker_edge: float = 0.9
    bar_width: float = 2.2
    bar_alpha: float | None = None
    bar_cap: Literal["butt", "projecting"] = "projecting"
    point_alpha: float = 0.45
    zorder: int = 3


DEFAULT_STYLE = EstimateStyle()


def draw_estimate(
    axes: Axes,
    position: float,
    mean: float,
    interval: tuple[float, float] | None,
    colour: str,
    marker: str,
    *,
    seeds: Sequence[float] = (),
    spread: float = 0.0,
    orientation: Orientation = "vertical",
    style: EstimateStyle = DEFAULT_STYLE,
) -> None:
    """Draw every seed, the interval and the mean of one estimate.

    Args:
        position: Place of the estimate on the axis across the values.
        interval: Both ends; None where no interval is shown.
        seeds: Values of the seeds, in their order.
        spread: Width over which the seeds are spread across the values, so that no point hides another.
    """
    draw_interval(axes, position, interval, colour, orientation, style)
    draw_seeds(axes, position, seeds, colour, spread, orientation, style)
    draw_means(axes, [position], [mean], colour, marker, orientation, style)


def draw_seeds(
    axes: Axes,
    position: float,
    values: Sequence[float],
    colour: str,
    spread: float = 0.0,
    orientation: Orientation = "vertical",
    style: EstimateStyle = DEFAULT_STYLE,
) -> None:
    """Draw a faint point for every seed."""
    if not values:
        return
    n = len(values)
    across = [position + spread * ((index + 0.5) / n - 0.5) for index in range(n)]
    x, y = (across, values) if orientation == "vertical" else (values, across)
    axes.scatter(x, y, s=15, color=colour, alpha=style.point_alpha, linewidths=0, zorder=style.zorder - 1)


def draw_interval(
    axes: Axes,
    position: float,
    interval: tuple[float, float] | None,
    colour: str,
    orientation: Orientation = "vertical",
    style: EstimateStyle = DEFAULT_STYLE,
) -> None:
    """Draw an interval as a bar; nothing where it is None."""
    if interval is None:
        return
    across = [position, position]
    x, y = (across, list(interval)) if orientation == "vertical" else (list(interval), across)
    axes.plot(
        x, y, color=colour, linewidth=style.bar_width, alpha=style.bar_alpha, solid_capstyle=style.bar_cap,
        zorder=style.zorder,
    )  # fmt: skip


def draw_means(
    axes: Axes,
    positions: Sequence[float],
    means: Sequence[float],
    colour: str,
    marker: str,
    orientation: Orientation = "vertical",
    style: EstimateStyle = DEFAULT_STYLE,
    line_width: float | None = None,
) -> None:
    """Draw the means as markers; with a ``line_width``, joined by a line."""
    x, y = (positions, means) if orientation == "vertical" else (means, positions)
    axes.plot(
        x, y, color=colour, marker=marker, markersize=style.marker_size, markeredgecolor="white",
        markeredgewidth=style.marker_edge, linestyle="" if line_width is None else "-", linewidth=line_width,
        zorder=style.zorder + 1,
    )  # fmt: skip
