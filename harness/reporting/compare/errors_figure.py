"""Errors of several experiments side by side: a row per network, a colour per experiment, unlike data apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.reporting.figures.style import INK, MARKERS, PLAIN_COLOURS, RESIDUAL_COLOURS, draw_series_legend
from harness.reporting.series import MAX_ROWS, shorten_label, list_seed_values
from harness.reporting.statistics.estimates import estimate_mean
from harness.reporting.verdicts.components import select_error_interval
from harness.tracking.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.reporting.compare.comparison import ExperimentResults, NetworkRow

PANELS = ("train/error_clean", "test/error")
COLOURS = (RESIDUAL_COLOURS[0], PLAIN_COLOURS[0], *RESIDUAL_COLOURS[1:], *PLAIN_COLOURS[1:])


class ExperimentStyle(NamedTuple):
    """How an experiment is drawn."""

    label: str
    colour: str
    marker: str


def is_drawable(tables: Sequence[Sequence[NetworkRow]]) -> bool:
    """Whether all networks fit on one figure."""
    return 0 < sum(map(len, tables)) <= MAX_ROWS


def draw_errors_side_by_side(
    figure: Figure, groups: Sequence[Sequence[ExperimentResults]], tables: Sequence[Sequence[NetworkRow]]
) -> None:
    """Clean training error and test error; a row of panels, with axes of its own, for each data set."""
    parts = [part for group in groups for part in group]
    looks = {
        part.label: ExperimentStyle(shorten_label(part.label, 40), COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        for i, part in enumerate(parts)
    }
    heights = [sum(len(row.parts) + 0.4 for row in rows) + 1 for rows in tables]
    grid = figure.subplots(len(groups), len(PANELS), squeeze=False, height_ratios=heights)
    draw_series_legend(figure, list(looks.values()))
    for line, group, rows in zip(grid, groups, tables, strict=True):
        for axes, key in zip(line, PANELS, strict=True):
            _panel(axes, rows, key, looks, named=axes is line[0])
            data = f"{shorten_label(group[0].results.study.data.name)}: " if len(groups) > 1 else ""
            axes.set_title(f"{data}{METRICS[key].title}", fontsize=9.5)


def _panel(axes: Axes, rows: Sequence[NetworkRow], key: str, looks: dict[str, ExperimentStyle], named: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    places, top = [], 0.0
    for row in rows:
        places.append(top + (len(row.parts) - 1) / 2)
        for part in row.parts:
            errors, look = list_seed_values(part.final, row.variant, key), looks[part.label]
            if errors:
                estimate = estimate_mean(errors)
                bounds = select_error_interval(estimate, key, part.results.study.data)
                if bounds is not None:
                    axes.plot([bounds.low, bounds.high], [top, top], color=look.colour, linewidth=2.2, zorder=3)
                axes.scatter(errors, [top] * len(errors), s=15, color=look.colour, alpha=0.35, linewidths=0, zorder=2)
                axes.plot(
                    [estimate.mean], [top], marker=look.marker, color=look.colour, markersize=6.5,
                    markeredgecolor="white", markeredgewidth=0.9, zorder=4,
                )  # fmt: skip
            top += 1
        top += 0.4
    axes.set_yticks(places, [shorten_label(row.name, 34) for row in rows] if named else [""] * len(rows), color=INK)
    axes.set_ylim(top - 0.4, -1)
    axes.grid(True, axis="x")
    # A little room, or a mark at zero would be cut in half.
    axes.set_xlim(left=-0.025 * axes.get_xlim()[1])
    axes.xaxis.set_major_locator(MaxNLocator(4))
