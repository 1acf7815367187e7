"""The figure of a crossed design: the standard deviation that each source gives a result, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.reporting.figures.series import group_into_series, shorten_label
from harness.reporting.figures.style import MARKERS, draw_legend
from harness.reporting.variance.analysis import analyse_variance
from harness.reporting.variance.section import RESIDUAL
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_VARIANTS = 8
"""Most variants whose points can be told apart beside each other."""
STEP = 0.7
"""Part of the distance between two sources that the points of all variants take."""


def has_variance_figure(results: Results) -> bool:
    """Return whether some variant has variance components, and all variants fit into the figure."""
    rows = analyse_variance(results)
    return len(results.study.variants) <= MAX_VARIANTS and any(row.components is not None for row in rows)


def draw_variance(figure: Figure, results: Results) -> None:
    """Draw a panel for each error, with a row for each source and a point with its interval for each variant."""
    from matplotlib.lines import Line2D

    design = results.study.experiment.variance
    assert design is not None
    variants = [variant.name for variant in results.study.variants]
    colours = {v.name: line.colour for line in group_into_series(results.study) for v in line.variants}
    markers = {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(variants)}
    titles = [*design.sources, RESIDUAL]
    analysed = [(row.variant, row.metric, row.components) for row in analyse_variance(results)]
    metrics = list(dict.fromkeys(metric for _, metric, found in analysed if found is not None))
    for number, metric in enumerate(metrics):
        axes = figure.add_subplot(1, len(metrics), number + 1)
        tops = [0.0]
        for variant, _, found in (entry for entry in analysed if entry[1] == metric):
            if found is None:
                continue
            offset = STEP * ((variants.index(variant) + 0.5) / len(variants) - 0.5)
            for row, component in enumerate((*found.sources, found.residual)):
                colour, y = colours[variant], row + offset
                axes.plot([component.low, component.high], [y, y], linewidth=1.8, color=colour)
                axes.plot(component.sd, y, marker=markers[variant], markersize=6, color=colour)
                tops.append(component.high)
        axes.set_title(METRICS[metric].label)
        axes.set_xlabel("Standard deviation (points)")
        axes.set_yticks(range(len(titles)), [title.capitalize() for title in titles] if number == 0 else [])
        axes.set_ylim(len(titles) - 0.5, -0.5)
        axes.set_xlim(-0.03 * max(tops), 1.05 * max(tops) or 1.0)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
    handles = [
        Line2D([], [], color=colours[name], marker=markers[name], label=shorten_label(name)) for name in variants
    ]
    draw_legend(figure, handles)
