"""What all figures share: colours, a background that GitHub shows well in light and dark, and stable bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLAIN_COLOURS = ("#D55E00", "#E69F00")
RESIDUAL_COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9")
"""Okabe and Ito 2008: told apart with every common colour blindness. Markers repeat the distinction."""
MARKERS = ("o", "s", "D", "^", "v", "P")
INK, LIGHT_GREY = "#24292f", "#d8dee4"
DASHED: Any = (0, (3, 1.5))
MATPLOTLIB_STYLE: Any = {
    "font.family": "DejaVu Sans",  # Ships with matplotlib, so that every machine draws the same glyphs.
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": LIGHT_GREY,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "svg.hashsalt": "depthbench",
    "svg.fonttype": "path",
    "path.simplify": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def render_figure(width: float, height: float, draw: Callable[[Figure], None]) -> dict[str, bytes]:
    """Draw one figure of ``width`` x ``height`` inches; its content by suffix, ``svg`` and ``png``.

    On a transparent page with a white rounded card of its own, which needs no light and dark variant. No date
    and no version are written, so equal results give equal bytes.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import FancyBboxPatch

    with matplotlib.rc_context(MATPLOTLIB_STYLE):
        figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.07))
        FigureCanvasAgg(figure)
        inset = 0.02
        card = FancyBboxPatch(
            (inset, inset),
            width - 2 * inset,
            height - 2 * inset,
            boxstyle="round,pad=0,rounding_size=0.12",
            transform=figure.dpi_scale_trans,
            facecolor="white",
            edgecolor=LIGHT_GREY,
            linewidth=0.8,
            zorder=-10,
        )
        card.set_in_layout(False)
        figure.add_artist(card)
        draw(figure)
        content = {}
        for suffix, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
            buffer = BytesIO()
            figure.savefig(buffer, format=suffix, dpi=160, metadata=metadata)
            content[suffix] = buffer.getvalue()
    return content


def scale_error_axis(axes: Axes, values: Iterable[float], images: int) -> None:
    """An axis of errors in percent: linear, or where they span decades logarithmic down to one image, then to zero."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    seen = [float(v) for v in values]
    positive = [v for v in seen if v > 0]
    top = max(positive, default=1.0)
    if not positive or top / min(positive) < 30:
        axes.set_ylim(bottom=0)
        return
    one = 100 / images
    threshold = next(t for t in (0.001, 0.01, 0.1, 1.0, 10.0) if t >= min(one, 10.0) / 1.5)
    axes.set_yscale("symlog", linthresh=threshold, linscale=0.6)
    ticks = [0.0, *(t for t in (0.001, 0.01, 0.1, 0.3, 1, 3, 10, 30, 100) if t >= threshold)]
    axes.yaxis.set_major_locator(FixedLocator([t for t in ticks if t <= 1.6 * top]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(-0.12 * threshold, min(1.6 * top, 110))


def scale_log_axis(axes: Axes, values: Iterable[float]) -> None:
    """A logarithmic axis of values above zero, labelled at 1, 2 and 5 where they span few decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    seen = [float(v) for v in values]
    low, high = min(seen, default=1.0), max(seen, default=1.0)
    axes.set_yscale("log")
    # Values that all but agree are drawn flat, and not blown up to fill the axis.
    room = max((high / low) ** 0.06, (2 / (high / low)) ** 0.5)
    axes.set_ylim(low / room, high * room)
    axes.yaxis.set_minor_locator(NullLocator())
    if high / low < 100:
        axes.yaxis.set_major_locator(LogLocator(subs=log_tick_steps(high / low)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.yaxis.set_major_locator(LogLocator(numticks=6))


def log_tick_steps(ratio: float) -> tuple[float, ...]:
    """Where a logarithmic axis over that ratio has its ticks, within a decade."""
    if ratio < 4:
        return (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8) if ratio < 2 else (1, 1.5, 2, 3, 4, 6, 8)
    return (1, 2, 5) if ratio < 30 else (1, 3)


class LegendEntry(Protocol):
    """What a legend tells apart."""

    @property
    def label(self) -> str: ...
    @property
    def colour(self) -> str: ...
    @property
    def marker(self) -> str: ...


def draw_series_legend(figure: Figure, lines: Sequence[LegendEntry]) -> None:
    """One legend over all panels, in as many rows as it takes to fit."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=line.colour, marker=line.marker, markersize=7, linewidth=1.6, label=line.label)
        for line in lines
    ]
    draw_legend(figure, handles)


def draw_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """A legend over all panels: in one row where it fits, else in columns as wide as the longest label."""
    letters = [len(str(handle.get_label())) + 7 for handle in handles]
    room = int(figure.get_figwidth() * 13)
    columns = len(handles) if sum(letters) <= room else max(1, room // max(letters))
    figure.legend(handles=list(handles), loc="outside upper center", borderaxespad=0.5, ncols=columns)
