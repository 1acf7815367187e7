"""The style of all figures: colours, axes, legends, and files with equal bytes for equal results."""

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
"""Colours of Okabe and Ito 2008, which common colour blindness leaves distinct. Markers repeat the distinction."""
MARKERS = ("o", "s", "D", "^", "v", "P")
INK, LIGHT_GREY = "#24292f", "#d8dee4"
DASHED: Any = (0, (3, 1.5))
MATPLOTLIB_STYLE: Any = {
    "font.family": "DejaVu Sans",  # matplotlib ships it, so every machine draws the same glyphs.
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
    """Draw one figure of ``width`` x ``height`` inches, and return its content as ``svg`` and ``png``.

    A white rounded card lies under the figure, so that one file suits light and dark pages. The files hold no date and
    no version, so equal results give equal bytes.
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


def panel_grid(panels: int) -> tuple[int, int]:
    """Return rows and columns for a number of panels: at most three columns, and four panels as a square."""
    columns = 2 if panels == 4 else min(panels, 3)
    return -(-panels // columns), columns


def scale_error_axis(axes: Axes, values: Iterable[float], images: int, label: str = "") -> None:
    """Scale the y axis for errors in percent, and label it.

    The scale is linear. Where the errors span a factor of 30 or more, it is logarithmic down to about the error of one
    image, and linear from there to zero. Then the label says so.

    Args:
        images: Number of images that the errors are measured on.
        label: Label of the axis; by default, only a logarithmic scale is labelled.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    positive = [float(value) for value in values if value > 0]
    top = max(positive, default=1.0)
    if not positive or top / min(positive) < 30:
        scale_linear_error_axis(axes)
        if label:
            axes.set_ylabel(label)
        return
    one_image = 100 / images
    threshold = next(t for t in (0.001, 0.01, 0.1, 1.0, 10.0) if t >= min(one_image, 10.0) / 1.5)
    axes.set_yscale("symlog", linthresh=threshold, linscale=0.6)
    ticks = [0.0, *(t for t in (0.001, 0.01, 0.1, 0.3, 1, 3, 10, 30, 100) if t >= threshold)]
    axes.yaxis.set_major_locator(FixedLocator([t for t in ticks if t <= 1.6 * top]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(-0.12 * threshold, min(1.6 * top, 110))
    axes.set_ylabel(f"{label}{', ' if label else ''}logarithmic above {threshold:g}", fontsize=9)


def scale_linear_error_axis(axes: Axes) -> None:
    """Let a linear y axis begin just below zero, so that it shows the whole marker of an error of zero."""
    top = axes.get_ylim()[1]
    axes.set_ylim(-0.02 * top, top)


def scale_log_axis(axes: Axes, values: Iterable[float]) -> None:
    """Scale the y axis logarithmically for values above zero, with labels that suit their range."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    numbers = [float(value) for value in values]
    low, high = min(numbers, default=1.0), max(numbers, default=1.0)
    ratio = high / low
    axes.set_yscale("log")
    # The axis spans a factor of two at least, so that values that almost agree look flat.
    room = max(ratio**0.06, (2 / ratio) ** 0.5)
    axes.set_ylim(low / room, high * room)
    axes.yaxis.set_minor_locator(NullLocator())
    if ratio < 100:
        axes.yaxis.set_major_locator(LogLocator(subs=log_tick_steps(ratio)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.yaxis.set_major_locator(LogLocator(numticks=6))


def log_tick_steps(ratio: float) -> tuple[float, ...]:
    """Return the multiples of a power of ten that get a tick, on a logarithmic axis that spans the factor ``ratio``."""
    if ratio < 4:
        return (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8) if ratio < 2 else (1, 1.5, 2, 3, 4, 6, 8)
    return (1, 2, 5) if ratio < 30 else (1, 3)


class LegendEntry(Protocol):
    """A line or point style that a legend explains."""

    @property
    def label(self) -> str: ...
    @property
    def colour(self) -> str: ...
    @property
    def marker(self) -> str: ...


def draw_series_legend(figure: Figure, entries: Sequence[LegendEntry]) -> None:
    """Draw one legend for all panels, above them, with a line and marker for each entry."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=entry.colour, marker=entry.marker, markersize=7, linewidth=1.6, label=entry.label)
        for entry in entries
    ]
    draw_legend(figure, handles)


def draw_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Draw one legend for all panels, above them: in one row if it fits, else in equal columns."""
    widths = [len(str(handle.get_label())) + 7 for handle in handles]
    room = int(figure.get_figwidth() * 13)
    columns = len(handles) if sum(widths) <= room else max(1, room // max(widths))
    figure.legend(handles=list(handles), loc="outside upper center", borderaxespad=0.5, ncols=columns)
