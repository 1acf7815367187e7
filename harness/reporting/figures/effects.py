"""The effects of all contrasts in one figure: each with its interval, beside zero and the threshold of its claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from harness.reporting.figures.style import LIGHT_GREY, INK, draw_legend
from harness.reporting.formatting import format_p
from harness.reporting.series import shorten_label
from harness.reporting.verdicts.components import Component
from harness.reporting.verdicts.verdict import Verdict
from harness.tracking.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIN_COMPONENTS = 2
"""Components below which the sentence says it all."""
MAX_ROWS = 40
"""Rows that one figure holds; later contrasts are in the table alone."""
CLAIMED_COLOUR = "#dcebf7"
ERROR_STYLES = ((INK, "o"), ("#CC79A7", "D"), ("#009E73", "s"), ("#56B4E9", "^"))
"""Of the errors: none of the colours of plain and residual nets in the other figures."""
MAX_LINEAR_EFFECT = 8.0
"""Points beyond which an axis is logarithmic outside of -1 to 1: a margin is not seen beside a collapse."""


@dataclass(frozen=True)
class DrawnVerdict:
    """A verdict and the places of its components, from the top; several have a heading above them."""

    verdict: Verdict
    top: int

    @property
    def heading(self) -> bool:
        """Whether it has one; a single component says itself what it is."""
        return len(self.verdict.components) > 1

    @property
    def rows(self) -> list[tuple[int, Component]]:
        """Place and component, below the heading."""
        first = self.top + self.heading
        return [(first + number, component) for number, component in enumerate(self.verdict.components)]

    @property
    def end(self) -> int:
        """The place below it."""
        return self.rows[-1][0] + 1


def list_drawable_effects(found: Sequence[Verdict]) -> list[DrawnVerdict]:
    """The verdicts that are drawn: none for a single component, or where no component has an effect."""
    components = [component for verdict in found for component in verdict.components]
    if len(components) < MIN_COMPONENTS or all(m.effect is None for c in components for m in c.measures):
        return []
    made: list[DrawnVerdict] = []
    for verdict in found:
        group = DrawnVerdict(verdict, made[-1].end if made else 0)
        if made and group.end > MAX_ROWS:
            break
        made.append(group)
    return made


def effects_figure_height(groups: Sequence[DrawnVerdict]) -> float:
    """Of the figure, in inches."""
    return 1.25 + 0.4 * groups[-1].end


def draw_effects(figure: Figure, groups: Sequence[DrawnVerdict]) -> None:
    """One row for each component, under its verdict's name; shaded is where the claim says that the effect lies."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    axes = figure.subplots()
    keys = list(dict.fromkeys(m.error for g in groups for c in g.verdict.components for m in c.measures))
    styles = dict(zip(keys, ERROR_STYLES, strict=False))
    left, right = _axis(axes, [value for group in groups for c in group.verdict.components for value in _values(c)])
    for group in groups:
        if group.heading:
            title = fill(shorten_label(f"{group.verdict.title}: {group.verdict.state}", 110), 54)
            text = axes.text(
                0, group.top + 0.1, title, transform=axes.get_yaxis_transform(), weight="bold", va="center"
            )
            text.set_in_layout(False)
        # Not through the headings.
        top, bottom = group.rows[0][0] - 0.45, group.rows[-1][0] + 0.45
        axes.plot([0, 0], [top, bottom], color=INK, linewidth=0.9, zorder=2)
        for place, component in group.rows:
            _row(axes, place, component, styles, left, right)
            says = _says(component)
            if not group.heading:
                says = f"{group.verdict.state}\n{says}"
            axes.text(1.015, place, says, transform=axes.get_yaxis_transform(), fontsize=8.5, va="center", ha="left")
    last = groups[-1].rows[-1][0]
    axes.set_ylim(last + 0.6, groups[0].top - 0.5)
    axes.set_yticks(
        [place for group in groups for place, _ in group.rows],
        [_label(component) for group in groups for _, component in group.rows],
    )
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(False)
    handles: list[Artist] = [
        Line2D([], [], color=styles[key][0], marker=styles[key][1], markersize=6, linewidth=2, label=METRICS[key].label)
        for key in keys
    ]
    components = [component for group in groups for component in group.verdict.components]
    if any(component.threshold for component in components):
        handles.append(Line2D([], [], color=INK, linewidth=1.4, linestyle=":", label="margin"))
    if any(component.side != "two-sided" for component in components):
        handles.append(Patch(color=CLAIMED_COLOUR, label="where it is claimed to lie"))
    draw_legend(figure, handles)


def _row(
    axes: Axes, place: int, component: Component, styles: dict[str, tuple[str, str]], left: float, right: float
) -> None:
    from matplotlib.patches import Rectangle

    sides = {"greater": (component.threshold, right), "less": (left, component.threshold)}
    if component.side in sides:
        low, high = sides[component.side]
        axes.add_patch(Rectangle((low, place - 0.38), high - low, 0.76, color=CLAIMED_COLOUR, linewidth=0, zorder=0))
    if component.threshold:
        ends = [place - 0.38, place + 0.38]
        axes.plot([component.threshold] * 2, ends, color=INK, linewidth=1.4, linestyle=":", zorder=3)
    for number, m in enumerate(component.measures):
        y = place + 0.34 * ((number + 0.5) / len(component.measures) - 0.5)
        colour, marker = styles[m.error]
        if m.effect is None:
            continue
        if m.low is not None and m.high is not None:
            axes.plot([m.low, m.high], [y, y], color=colour, linewidth=2, solid_capstyle="butt", zorder=4)
        axes.plot(
            [m.effect], [y], color=colour, marker=marker, markersize=6,
            markeredgecolor="white", markeredgewidth=0.7, zorder=5,
        )  # fmt: skip


def _says(component: Component) -> str:
    if all(m.effect is None for m in component.measures):
        return "no value"
    p = f", p = {format_p(component.p)}" if component.p is not None else ""
    return f"n = {component.n}{p}"


def _label(component: Component) -> str:
    """What is subtracted from what and the claim; the two sides of a long one on lines of their own."""
    a, minus, b = component.label.partition(" − ")
    whole = f"{component.label}  ({component.claim})"
    if len(whole) <= 44:
        return shorten_label(whole, 60)
    return f"{shorten_label(a, 36)}\n{minus.strip()} {shorten_label(b, 28)}  ({component.claim})"


def _values(component: Component) -> list[float]:
    """All that has to be on the axis."""
    of = [value for m in component.measures for value in (m.effect, m.low, m.high) if value is not None]
    return [component.threshold, 0.0, *of]


def _axis(axes: Axes, values: Iterable[float]) -> tuple[float, float]:
    """Scale, ticks and limits of the effects; the limits."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    seen = list(values)
    low, high = min(seen), max(seen)
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
