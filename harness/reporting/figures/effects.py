"""The figure of effects: a row for each component of each contrast, with its interval, zero and its threshold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from harness.reporting.figures.estimate_marks import EstimateStyle, draw_estimate
from harness.reporting.figures.series import shorten_label
from harness.reporting.figures.style import INK, LIGHT_GREY, draw_legend
from harness.reporting.formatting import format_p
from harness.reporting.verdicts.components import Component
from harness.reporting.verdicts.verdict import Verdict
from harness.tracking.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIN_COMPONENTS = 2
"""Fewest components for which there is a figure; the sentence of the verdict suffices for one."""
MAX_ROWS = 40
"""Most rows of the figure; further contrasts are in the tables alone."""
MAX_LINEAR_EFFECT = 8.0
"""Percentage points up to which the axis is linear. Beyond, it is logarithmic outside -1 to 1, so that a margin of half
a point stays visible beside a collapse."""
CLAIMED_COLOUR = "#dcebf7"
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


@dataclass(frozen=True)
class DrawnVerdict:
    """A verdict with the rows that it takes in the figure, counted from the top."""

    verdict: Verdict
    top: int

    @property
    def has_heading(self) -> bool:
        """Whether its title has a row of its own. The label of a single component names the contrast already."""
        return len(self.verdict.components) > 1

    @property
    def rows(self) -> list[tuple[int, Component]]:
        """(row, component) of each component, below the heading."""
        first = self.top + self.has_heading
        return [(first + number, component) for number, component in enumerate(self.verdict.components)]

    @property
    def end(self) -> int:
        """The first row below it."""
        return self.rows[-1][0] + 1


def list_drawable_effects(verdicts: Sequence[Verdict]) -> list[DrawnVerdict]:
    """Return the verdicts that fit into the figure, with their rows.

    The list is empty where there is a single component, and where no component has an effect.
    """
    components = [component for verdict in verdicts for component in verdict.components]
    if len(components) < MIN_COMPONENTS or all(test.effect is None for c in components for test in c.tests):
        return []
    groups: list[DrawnVerdict] = []
    for verdict in verdicts:
        group = DrawnVerdict(verdict, groups[-1].end if groups else 0)
        if groups and group.end > MAX_ROWS:
            break
        groups.append(group)
    return groups


def effects_figure_height(groups: Sequence[DrawnVerdict]) -> float:
    """Return the height of the figure, in inches."""
    return 1.25 + 0.4 * groups[-1].end


def draw_effects(figure: Figure, groups: Sequence[DrawnVerdict]) -> None:
    """Draw one row for each component below the title of its verdict. The claimed side of the threshold is shaded."""
    axes = figure.subplots()
    components = [component for group in groups for component in group.verdict.components]
    metrics = dict.fromkeys(test.metric for component in components for test in component.tests)
    styles = dict(zip(metrics, ERROR_STYLES, strict=False))
    limits = _scale_axis(axes, [value for component in components for value in _list_values(component)])
    for group in groups:
        _draw_group(axes, group, styles, limits)
    last_row = groups[-1].rows[-1][0]
    axes.set_ylim(last_row + 0.6, groups[0].top - 0.5)
    rows = [row for group in groups for row in group.rows]
    axes.set_yticks([row for row, _ in rows], [_format_label(component) for _, component in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(False)
    draw_legend(figure, _build_legend(components, styles))


def _draw_group(axes: Axes, group: DrawnVerdict, styles: Mapping[str, ErrorStyle], limits: tuple[float, float]) -> None:
    """Draw the rows of one verdict: several rows below its title, or a single row with its state beside it."""
    verdict = group.verdict
    if group.has_heading:
        title = fill(shorten_label(f"{verdict.title}: {verdict.state}", 110), 54)
        text = axes.text(0, group.top + 0.1, title, transform=axes.get_yaxis_transform(), weight="bold", va="center")
        text.set_in_layout(False)
    # The zero line stops between the groups, so that it does not cross their headings.
    top, bottom = group.rows[0][0] - 0.45, group.rows[-1][0] + 0.45
    axes.plot([0, 0], [top, bottom], color=INK, linewidth=0.9, zorder=2)
    for row, component in group.rows:
        _draw_row(axes, row, component, styles, limits)
        result = _format_result(component)
        if not group.has_heading:
            result = f"{verdict.state}\n{result}"
        axes.text(1.015, row, result, transform=axes.get_yaxis_transform(), fontsize=8.5, va="center", ha="left")


def _draw_row(
    axes: Axes, row: int, component: Component, styles: Mapping[str, ErrorStyle], limits: tuple[float, float]
) -> None:
    """Draw one component: the claimed side as a shade, the threshold, and the effect in each error."""
    from matplotlib.patches import Rectangle

    left, right = limits
    claimed = {"greater": (component.threshold, right), "less": (left, component.threshold)}
    if component.side in claimed:
        low, high = claimed[component.side]
        axes.add_patch(Rectangle((low, row - 0.38), high - low, 0.76, color=CLAIMED_COLOUR, linewidth=0, zorder=0))
    if component.threshold:
        ends = [row - 0.38, row + 0.38]
        axes.plot([component.threshold] * 2, ends, color=INK, linewidth=1.4, linestyle=":", zorder=3)
    for number, test in enumerate(component.tests):
        if test.effect is None:
            continue
        y = row + 0.34 * ((number + 0.5) / len(component.tests) - 0.5)
        interval = (test.low, test.high) if test.low is not None and test.high is not None else None
        colour, marker = styles[test.metric]
        draw_estimate(axes, y, test.effect, interval, colour, marker, orientation="horizontal", style=MARK_STYLE)


def _build_legend(components: Sequence[Component], styles: Mapping[str, ErrorStyle]) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Line2D([], [], color=style.colour, marker=style.marker, markersize=6, linewidth=2, label=METRICS[metric].label)
        for metric, style in styles.items()
    ]
    if any(component.threshold for component in components):
        handles.append(Line2D([], [], color=INK, linewidth=1.4, linestyle=":", label="margin"))
    if any(component.side != "two-sided" for component in components):
        handles.append(Patch(color=CLAIMED_COLOUR, label="where it is claimed to lie"))
    return handles


def _format_result(component: Component) -> str:
    """Return n and p of a component."""
    if all(test.effect is None for test in component.tests):
        return "no value"
    p = f", p = {format_p(component.p)}" if component.p is not None else ""
    return f"n = {component.n}{p}"


def _format_label(component: Component) -> str:
    """Return the effect and its claim; a long label is broken before the minus sign."""
    a, minus, b = component.label.partition(" − ")
    label = f"{component.label}  ({component.claim})"
    if len(label) <= 44:
        return shorten_label(label, 60)
    return f"{shorten_label(a, 36)}\n{minus.strip()} {shorten_label(b, 28)}  ({component.claim})"


def _list_values(component: Component) -> list[float]:
    """Return all values that the axis must include."""
    values = [value for test in component.tests for value in (test.effect, test.low, test.high) if value is not None]
    return [component.threshold, 0.0, *values]


def _scale_axis(axes: Axes, values: Iterable[float]) -> tuple[float, float]:
    """Set scale, ticks and label of the axis of effects, and return its limits."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    numbers = list(values)
    low, high = min(numbers), max(numbers)
    label = "Effect A − B (percentage points)"
    if max(-low, high) > MAX_LINEAR_EFFECT:
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.7)
        axes.xaxis.set_major_locator(FixedLocator([s * t for t in (100, 30, 10, 3, 1) for s in (-1, 1)] + [0]))
        axes.xaxis.set_minor_locator(NullLocator())
        label += ", logarithmic beyond ±1"
        low, high = (value * 1.5 if abs(value) > 1 else value + sign * 0.4 for value, sign in ((low, -1), (high, 1)))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(7))
        room = 0.07 * max(high - low, 0.1)
        low, high = low - room, high + room
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}")))
    axes.set_xlim(low, high)
    axes.set_xlabel(label)
    axes.tick_params(axis="x", color=LIGHT_GREY)
    return low, high
