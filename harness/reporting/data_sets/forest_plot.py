"""The forest plot of one contrast: its effect on every data set, and their mean over data sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.reporting.data_sets.effects import ComponentOverData, EffectOverData, format_ends
from harness.reporting.figures.effects import (
    ERROR_STYLES,
    ROLE_COLOURS,
    UNTRAINABLE_COLOUR,
    ErrorStyle,
    find_region,
)
from harness.reporting.figures.estimate_marks import EstimateStyle, draw_estimate
from harness.reporting.figures.series import shorten_label
from harness.reporting.figures.style import INK, LIGHT_GREY, draw_legend
from harness.reporting.formatting import format_interval, format_points
from harness.reporting.verdicts.outcomes import ROLES
from harness.tracking.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARK_STYLE = EstimateStyle(marker_size=6.0, marker_edge=0.7, bar_width=2.0, bar_cap="butt", zorder=4)
MEAN_ROW = "Mean over data sets"
NEXT_ROW = "One more data set"
ROOM = 0.25
"""Room beside the effects of the data sets, as a share of their range: the axis shows no more of a wide interval."""


def forest_plot_height(components: Sequence[ComponentOverData]) -> float:
    """Return the height of the figure, in inches."""
    return 0.9 + sum(1.05 + 0.42 * _count_rows(component) for component in components)


def _count_rows(component: ComponentOverData) -> int:
    return len(component.components) + (2 if any(effect.mean for effect in component.effects) else 0)


def draw_forest_plot(figure: Figure, components: Sequence[ComponentOverData]) -> None:
    """Draw one panel for each component, with a row for each data set, their mean, and one more data set.

    The axis spans the effects on the data sets. An interval that leaves it ends in an arrow; its ends are written at
    the right.
    """
    metrics = dict.fromkeys(effect.metric for component in components for effect in component.effects)
    styles = dict(zip(metrics, ERROR_STYLES, strict=False))
    heights = [1 + _count_rows(component) for component in components]
    panels = figure.subplots(len(components), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, component in zip(panels, components, strict=True):
        _draw_component(axes, component, styles)
    panels[-1].set_xlabel("Effect A − B (percentage points)")
    draw_legend(figure, _build_legend(components, styles))


def _draw_component(axes: Axes, component: ComponentOverData, styles: dict[str, ErrorStyle]) -> None:
    names = list(component.components)
    rows = [*names, *([MEAN_ROW, NEXT_ROW] if any(effect.mean for effect in component.effects) else [])]
    left, right = _find_limits(component)
    _draw_regions(axes, component, (left, right), len(rows))
    for number, effect in enumerate(component.effects):
        offset = 0.3 * ((number + 0.5) / len(component.effects) - 0.5)
        colour, marker = styles[effect.metric]
        for row, name in enumerate(names):
            test = effect.tests[name]
            if test.effect is not None:
                interval = None if test.low is None or test.high is None else (test.low, test.high)
                own_colour = UNTRAINABLE_COLOUR if component.components[name].untrainable else colour
                _draw_row(axes, row + offset, test.effect, interval, own_colour, marker, (left, right))
        if effect.mean is not None:
            mean, first = effect.mean, len(names)
            _draw_row(axes, first + offset, mean.mean, (mean.low, mean.high), colour, marker, (left, right))
            _draw_row(axes, first + 1 + offset, None, (mean.next_low, mean.next_high), colour, "", (left, right))
    if len(rows) > len(names):
        axes.axhline(len(names) - 0.5, color=LIGHT_GREY, linewidth=1.0, zorder=1)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=2)
    axes.set_xlim(left, right)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_yticks(range(len(rows)), [shorten_label(name, 30) for name in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(False)
    claimed = f"{component.count_claimed()} of {len(names)} data sets"
    axes.set_title(f"{shorten_label(component.label, 60)}: claimed outcome on {claimed}", fontsize=10)
    for row, text in enumerate(_describe_rows(component, names, len(rows))):
        axes.text(1.02, row, text, transform=axes.get_yaxis_transform(), fontsize=8, va="center", ha="left")


def _find_limits(component: ComponentOverData) -> tuple[float, float]:
    """Return the ends of the axis: the effects on the data sets with their intervals, zero and the borders."""
    tests = [test for effect in component.effects for test in effect.tests.values()]
    ends = [value for test in tests for value in (test.effect, test.low, test.high) if value is not None]
    ends += [effect.mean.mean for effect in component.effects if effect.mean is not None]
    ends += [0.0, *_list_borders(component)]
    low, high = min(ends), max(ends)
    room = ROOM * max(high - low, 0.1)
    return low - room, high + room


def _list_borders(component: ComponentOverData) -> list[float]:
    first = next(iter(component.components.values()))
    return [value for result in first.outcomes for _, value in result.outcome.bounds]


def _draw_regions(axes: Axes, component: ComponentOverData, limits: tuple[float, float], rows: int) -> None:
    """Shade the effects that support the contrast, and those that contradict it."""
    left, right = limits
    for result in next(iter(component.components.values())).outcomes:
        region = find_region(result.outcome)
        low, high = max(region[0], left), min(region[1], right)
        if low < high:
            axes.axvspan(low, high, color=ROLE_COLOURS[result.outcome.role], linewidth=0, zorder=0)
    for border in {value for value in _list_borders(component) if value}:
        axes.axvline(border, color=INK, linewidth=1.4, linestyle=":", zorder=3)


def _draw_row(
    axes: Axes,
    y: float,
    effect: float | None,
    interval: tuple[float, float] | None,
    colour: str,
    marker: str,
    limits: tuple[float, float],
) -> None:
    """Draw one estimate; where its interval leaves the axis, an arrow shows it.

    Args:
        effect: The estimate; None for an interval alone.
    """
    left, right = limits
    cut = None if interval is None else (max(interval[0], left), min(interval[1], right))
    if effect is not None:
        draw_estimate(axes, y, effect, cut, colour, marker, orientation="horizontal", style=MARK_STYLE)
    elif cut is not None:
        axes.plot(cut, [y, y], color=colour, linewidth=1.2, linestyle=(0, (2, 1.2)), zorder=4)
    if interval is not None:
        room = 0.012 * (right - left)
        if interval[0] < left:
            axes.plot([left + room], [y], color=colour, marker="<", markersize=6, linestyle="", zorder=5)
        if interval[1] > right:
            axes.plot([right - room], [y], color=colour, marker=">", markersize=6, linestyle="", zorder=5)


def _describe_rows(component: ComponentOverData, names: Sequence[str], rows: int) -> list[str]:
    """Return the numbers of each row, one line for each metric."""
    texts = [_join_lines(_describe_test(effect, name) for effect in component.effects) for name in names]
    if rows > len(names):
        with_mean = [(effect.metric, effect.mean) for effect in component.effects if effect.mean is not None]
        texts.append(
            _join_lines(f"{format_points(m.mean)} [{format_ends(key, m.low, m.high)}]" for key, m in with_mean)
        )
        texts.append(_join_lines(f"[{format_ends(key, m.next_low, m.next_high)}]" for key, m in with_mean))
    return texts


def _describe_test(effect: EffectOverData, name: str) -> str:
    test = effect.tests[name]
    if test.effect is None:
        return "no value"
    interval = f" [{format_interval(test.low, test.high, sign=True)}]" if test.low is not None else ""
    return f"{format_points(test.effect)}{interval}, n = {test.n}"


def _join_lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _build_legend(components: Sequence[ComponentOverData], styles: dict[str, ErrorStyle]) -> list:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list = [
        Line2D([], [], color=style.colour, marker=style.marker, markersize=6, linewidth=2, label=METRICS[metric].label)
        for metric, style in styles.items()
    ]
    roles = {
        result.outcome.role
        for component in components
        for shown in component.components.values()
        for result in shown.outcomes
    }
    handles += [Patch(color=ROLE_COLOURS[role], label=role) for role in ROLES if role in roles]
    return handles
