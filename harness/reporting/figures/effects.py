"""The figure of effects: a row for each component of each contrast, with its interval and its outcomes' regions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from harness.reporting.figures.drawable_effects import (
    DrawnVerdict,
    find_largest_margin,
    has_zoomed_panel,
    list_axis_values,
    list_borders,
    list_components,
)
from harness.reporting.figures.estimate_marks import EstimateStyle, draw_estimate
from harness.reporting.figures.series import shorten_label
from harness.reporting.figures.style import INK, LIGHT_GREY, draw_legend
from harness.reporting.formatting import format_p
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.outcomes import ROLES, Outcome
from harness.tracking.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ZOOMED_MARGINS = 2.5
"""Half of the width of the second panel, in margins."""
ROLE_COLOURS = {"supports": "#dcebf7", "contradicts": "#fbe6d3"}
UNTRAINABLE_COLOUR = "#8c959f"
"""Colour of effects that rest on an untrainable variant."""
MARK_STYLE = EstimateStyle(marker_size=6.0, marker_edge=0.7, bar_width=2.0, bar_cap="butt", zorder=4)


class ErrorStyle(NamedTuple):
    """Colour and marker of one error."""

    colour: str
    marker: str


ERROR_STYLES = (
    ErrorStyle(INK, "o"),
    ErrorStyle("#CC79A7", "D"),
    ErrorStyle("#009E73", "s"),
    ErrorStyle("#56B4E9", "^"),
)
"""Styles of the errors in turn. They differ from the first colours of plain and residual networks elsewhere."""


def draw_effects(figure: Figure, groups: Sequence[DrawnVerdict]) -> None:
    """Draw one row for each component below the title of its verdict, over the regions of its outcomes.

    All axes are linear.
    """
    components = list_components(groups)
    metrics = dict.fromkeys(test.metric for component in components for test in component.tests)
    styles = dict(zip(metrics, ERROR_STYLES, strict=False))
    has_zoom = has_zoomed_panel(groups)
    panels = figure.subplots(1, 2 if has_zoom else 1, sharey=True, squeeze=False)[0]
    limits = [_scale_axis(panels[0], [value for component in components for value in list_axis_values(component)])]
    if has_zoom:
        edge = ZOOMED_MARGINS * find_largest_margin(groups)
        limits.append(_scale_axis(panels[1], [-edge, edge]))
        panels[1].set_xlabel("The same, near the margin")
    for axes, ends in zip(panels, limits, strict=True):
        for row, component in (row for group in groups for row in group.rows):
            _draw_row(axes, row, component, styles, ends)
        _draw_zero_lines(axes, groups)
        axes.set_xlim(ends)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(False)
    _write_texts(panels[0], panels[-1], groups)
    draw_legend(figure, _build_legend(components, styles))


def _write_texts(left: Axes, right: Axes, groups: Sequence[DrawnVerdict]) -> None:
    """Write the title of each verdict, the names of its components, and their outcomes at the right."""
    for group in groups:
        verdict = group.verdict
        if group.has_heading:
            title = fill(shorten_label(f"{verdict.title}: {verdict.state}", 110), 54)
            text = left.text(
                0, group.top + 0.1, title, transform=left.get_yaxis_transform(), weight="bold", va="center"
            )
            text.set_in_layout(False)
        for row, component in group.rows:
            result = _format_result(component)
            if not group.has_heading:
                result = f"{verdict.state}\n{result}"
            right.text(1.03, row, result, transform=right.get_yaxis_transform(), fontsize=8.5, va="center", ha="left")
    rows = [row for group in groups for row in group.rows]
    left.set_ylim(rows[-1][0] + 0.6, groups[0].top - 0.5)
    left.set_yticks([row for row, _ in rows], [_format_label(component) for _, component in rows])


def _draw_zero_lines(axes: Axes, groups: Sequence[DrawnVerdict]) -> None:
    """Draw the line of zero through the rows of each verdict; it leaves out the headings."""
    for group in groups:
        top, bottom = group.rows[0][0] - 0.45, group.rows[-1][0] + 0.45
        axes.plot([0, 0], [top, bottom], color=INK, linewidth=0.9, zorder=2)


def find_region(outcome: Outcome) -> tuple[float, float]:
    """Return the interval of effects that an outcome is, in percentage points; its ends may be infinite."""
    low = max((value for side, value in outcome.bounds if side == "greater"), default=-math.inf)
    high = min((value for side, value in outcome.bounds if side == "less"), default=math.inf)
    return low, high


def _draw_row(
    axes: Axes, row: int, component: Component, styles: Mapping[str, ErrorStyle], limits: tuple[float, float]
) -> None:
    """Draw one component: the regions of its outcomes, their borders, and the effect in each error.

    A component that rests on an untrainable variant has neither regions nor colour.
    """
    from matplotlib.patches import Rectangle

    left, right = limits
    for result in () if component.untrainable else component.outcomes:
        region = find_region(result.outcome)
        low, high = max(region[0], left), min(region[1], right)
        if low < high:
            colour = ROLE_COLOURS[result.outcome.role]
            axes.add_patch(Rectangle((low, row - 0.38), high - low, 0.76, color=colour, linewidth=0, zorder=0))
    for border in list_borders(component):
        if border and left < border < right:
            axes.plot([border] * 2, [row - 0.38, row + 0.38], color=INK, linewidth=1.4, linestyle=":", zorder=3)
    for number, test in enumerate(component.tests):
        if test.effect is None:
            continue
        y = row + 0.34 * ((number + 0.5) / len(component.tests) - 0.5)
        colour, marker = styles[test.metric]
        if component.untrainable:
            colour = UNTRAINABLE_COLOUR
        if not left <= test.effect <= right:
            arrow, end = (">", right) if test.effect > right else ("<", left)
            axes.plot([end - 0.02 * (right - left) * (1 if arrow == ">" else -1)], [y], color=colour, marker=arrow)
            continue
        interval = (test.low, test.high) if test.low is not None and test.high is not None else None
        draw_estimate(axes, y, test.effect, interval, colour, marker, orientation="horizontal", style=MARK_STYLE)


def _build_legend(components: Sequence[Component], styles: Mapping[str, ErrorStyle]) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Line2D([], [], color=style.colour, marker=style.marker, markersize=6, linewidth=2, label=METRICS[metric].label)
        for metric, style in styles.items()
    ]
    if any(value for component in components for value in list_borders(component)):
        handles.append(Line2D([], [], color=INK, linewidth=1.4, linestyle=":", label="margin"))
    if any(component.untrainable for component in components):
        handles.append(Line2D([], [], color=UNTRAINABLE_COLOUR, linewidth=2, label="untrainable"))
    roles = {
        result.outcome.role for component in components if not component.untrainable for result in component.outcomes
    }
    handles += [Patch(color=ROLE_COLOURS[role], label=role) for role in ROLES if role in roles]
    return handles


def _format_result(component: Component) -> str:
    """Return outcome, p and n of a component."""
    if all(test.effect is None for test in component.tests):
        return "no value"
    has_p = component.p is not None and not component.untrainable
    p = f", p = {format_p(component.p, component.n)}" if has_p else ""
    return f"{component.outcome_name}\nn = {component.n}{p}"


def _format_label(component: Component) -> str:
    """Return the effect; a long label is broken before the minus sign."""
    a, minus, b = component.label.partition(" − ")
    if len(component.label) <= 26:
        return shorten_label(component.label, 60)
    return f"{shorten_label(a, 36)}\n{minus.strip()} {shorten_label(b, 28)}"


def _scale_axis(axes: Axes, values: Iterable[float]) -> tuple[float, float]:
    """Set ticks and label of the axis of effects, and return its limits."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    numbers = list(values)
    low, high = min(numbers), max(numbers)
    room = 0.07 * max(high - low, 0.1)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}")))
    axes.set_xlabel("Effect A − B (percentage points)")
    axes.tick_params(axis="x", color=LIGHT_GREY)
    return low - room, high + room
