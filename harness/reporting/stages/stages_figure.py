"""The figure of an adaptive experiment: every estimate with its interval over the stages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.reporting.figures.estimate_marks import draw_interval, draw_means
from harness.reporting.figures.style import DASHED, INK, PLAIN_COLOURS, RESIDUAL_COLOURS, panel_grid
from harness.reporting.stages.looks import ComponentLooks
from harness.tracking.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 6
"""Most components that the figure shows; all are in the table."""


def select_panels(looks: Sequence[ComponentLooks]) -> list[ComponentLooks]:
    """Return the components that the figure shows: the first ones that have estimates at two stages or more."""
    return [each for each in looks if len(each.naive) > 1][:MOST_PANELS]


def stages_figure_height(panels: Sequence[ComponentLooks]) -> float:
    """Return the height of the figure in inches."""
    return 0.6 + 2.7 * panel_grid(len(panels))[0]


def draw_stages(figure: Figure, panels: Sequence[ComponentLooks], stages: Sequence[int]) -> None:
    """Draw a panel for each component: its estimate after each stage, and the corrected one."""
    rows, columns = panel_grid(len(panels))
    for number, each in enumerate(panels):
        axes = figure.add_subplot(rows, columns, number + 1)
        _draw_panel(axes, each, stages)
        axes.set_title(each.label, fontsize=9)
        axes.set_ylabel(f"{METRICS[each.metric].label.capitalize()}, points", fontsize=8.5)
        axes.set_xlabel("Seeds at the stage")


def _draw_panel(axes: Axes, each: ComponentLooks, stages: Sequence[int]) -> None:
    naive, corrected, step = PLAIN_COLOURS[0], RESIDUAL_COLOURS[0], min(b - a for a, b in pairwise(stages))
    for value in each.bounds:
        axes.axhline(value, color=INK, linewidth=0.9, linestyle=DASHED)
    for estimate in each.naive:
        ends = None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)
        draw_interval(axes, estimate.stage, ends, naive)
    draw_means(axes, [e.stage for e in each.naive], [e.effect for e in each.naive], naive, "o", line_width=1.2)
    stop = each.at_stop
    if stop is not None and stop.is_corrected and stop.low is not None and stop.high is not None:
        position = stop.stage + 0.25 * step
        draw_interval(axes, position, (stop.low, stop.high), corrected)
        draw_means(axes, [position], [stop.effect], corrected, "D")
    axes.set_xticks(list(stages))
    axes.set_xlim(stages[0] - 0.6 * step, stages[-1] + 0.6 * step)
