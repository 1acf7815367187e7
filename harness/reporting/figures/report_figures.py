"""The report's figures: every seed a point, means with t intervals, and nothing where there is no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reporting.figures.effects import draw_effects, list_drawable_effects, effects_figure_height
from harness.reporting.figures.error_against_cost import draw_error_against_cost, find_cost_fronts
from harness.reporting.figures.style import grid_of
from harness.reporting.figures.layer_curves import draw_layer_curves, select_layer_curves
from harness.reporting.figures.style import INK, MARKERS, scale_error_axis, draw_series_legend, render_figure
from harness.reporting.figures.training_curves import (
    draw_training_curves,
    draw_gradients,
    list_gradient_variants,
    has_training_curves,
)
from harness.reporting.figures.style import panel_grid
from harness.reporting.figures.search import draw_search
from harness.reporting.search_trials import list_search_trials
from harness.reporting.figures.series import (
    MAX_ROWS,
    Series,
    has_few_series,
    has_several_depths,
    group_into_series,
    shorten_label,
)
from harness.reporting.statistics.seed_values import list_seed_values
from harness.reporting.statistics.intervals import estimate_mean
from harness.reporting.statistics.error_intervals import count_images, select_error_interval
from harness.reporting.verdicts.verdict import Verdict
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR_METRICS = ("train/error_clean", "train/error", "test/error")
FIGURE_NAMES = ("depth", "variants", "costs", "effects", "tuning", "curves", "layers", "gradients")
"""All that may be drawn, in the order of the report."""


def draw_figures(results: Results, found: Sequence[Verdict] = ()) -> dict[str, dict[str, bytes]]:
    """Content of the figures by name and suffix (``svg``, ``png``); those without data are left out.

    Args:
        found: The verdicts whose effects are drawn.
    """
    final, study = results.final, results.study
    keys = [key for key in ERROR_METRICS if final[key].notna().any()]
    made: dict[str, dict[str, bytes]] = {}
    few = has_few_series(study)
    if keys and few and has_several_depths(study):
        made["depth"] = render_figure(9.2, 5.0 if len(keys) > 2 else 4.2, lambda f: _depth(f, results, keys))
    elif keys and len(study.variants) <= MAX_ROWS:
        height = 1.5 + 0.42 * len(study.variants)
        made["variants"] = render_figure(9.2, min(height, 14), lambda f: _dots(f, results, keys))
    if panels := len(find_cost_fronts(results)):
        made["costs"] = render_figure(9.2, 0.8 + 3.4 * grid_of(panels)[0], lambda f: draw_error_against_cost(f, results))
    if groups := list_drawable_effects(found):
        made["effects"] = render_figure(9.2, effects_figure_height(groups), lambda f: draw_effects(f, groups))
    if list_search_trials(results):
        made["tuning"] = render_figure(9.2, 4.4, lambda f: draw_search(f, results))
    if few and has_training_curves(results):
        rows, _ = panel_grid(len({v.depth for v in study.variants}))
        made["curves"] = render_figure(9.2, 0.7 + 2.9 * rows, lambda f: draw_training_curves(f, results))
    if select_layer_curves(results):
        made["layers"] = render_figure(9.2, 3.9, lambda f: draw_layer_curves(f, results))
    if list_gradient_variants(results):
        made["gradients"] = render_figure(9.2, 3.7, lambda f: draw_gradients(f, results))
    return made


def _depth(figure: Figure, results: Results, keys: list[str]) -> None:
    grid = figure.add_gridspec(max(len(keys) - 1, 1), 2 if len(keys) > 1 else 1, width_ratios=[1.5, 1][: len(keys)])
    places = [grid[:, 0], *(grid[row, 1] for row in range(len(keys) - 1))]
    lines = group_into_series(results.study)
    draw_series_legend(figure, lines)
    for number, (key, place) in enumerate(zip(keys, places, strict=True)):
        axes = figure.add_subplot(place)
        _depth_panel(axes, results, lines, key)
        if number in (0, len(keys) - 1):
            axes.set_xlabel("Depth (layers with weights)")


def _depth_panel(axes: Axes, results: Results, lines: list[Series], key: str) -> None:
    depths = sorted({depth for line in lines for depth in line.depths})
    # Depths at equal distances: on a scale of their own, 8 and 20 would sit on each other beside 110.
    place = {depth: float(index) for index, depth in enumerate(depths)}
    final, shown = results.final, []
    for line in lines:
        xs, means, bars = [], [], []
        for variant in line.variants:
            y = list_seed_values(final, variant, key)
            if not y:
                continue
            beside = [other for other in lines if variant.depth in other.depths]
            # Never so far apart that they would stand beside the next depth.
            step = min(0.2, 0.9 / len(beside))
            x = place[variant.depth] + step * (beside.index(line) - (len(beside) - 1) / 2)
            estimate = estimate_mean(y)
            shown += y
            axes.scatter(_spread(x, len(y), 0.7 * step), y, s=15, color=line.colour, alpha=0.45, linewidths=0, zorder=2)
            xs.append(x)
            means.append(estimate.mean)
            bars.append((x, select_error_interval(estimate, key, results.study.data)))
        for x, bounds in bars:
            if bounds is not None:
                axes.plot([x, x], [bounds.low, bounds.high], color=line.colour, linewidth=2.2, zorder=3)
        axes.plot(
            xs, means, color=line.colour, marker=line.marker, markersize=7, linewidth=1.6,
            markeredgecolor="white", markeredgewidth=0.9, label=line.label, zorder=4,
        )  # fmt: skip
    axes.set_xticks(list(place.values()), [str(depth) for depth in depths])
    axes.set_xlim(-0.5, len(depths) - 0.5)
    scale_error_axis(axes, shown, count_images(key, results.study.data))
    axes.set_title(METRICS[key].title)


def _dots(figure: Figure, results: Results, keys: list[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    variants, final = results.study.variants, results.final
    colours = {v.name: line for line in group_into_series(results.study) for v in line.variants}
    for number, key in enumerate(keys):
        axes = figure.add_subplot(1, len(keys), number + 1)
        for row, variant in enumerate(variants):
            y = list_seed_values(final, variant, key)
            if not y:
                continue
            estimate, colour = estimate_mean(y), colours[variant.name].colour
            bounds = select_error_interval(estimate, key, results.study.data)
            if bounds is not None:
                axes.plot([bounds.low, bounds.high], [row, row], color=colour, linewidth=2.2, zorder=3)
            axes.scatter(y, _spread(row, len(y), 0.3), s=15, color=colour, alpha=0.45, linewidths=0, zorder=2)
            axes.plot(
                [estimate.mean], [row], marker=MARKERS[0], color=colour, markersize=7,
                markeredgecolor="white", markeredgewidth=0.9, zorder=4,
            )  # fmt: skip
        names = [shorten_label(v.name) for v in variants] if number == 0 else [""] * len(variants)
        axes.set_yticks(range(len(variants)), names, color=INK)
        axes.set_ylim(len(variants) - 0.5, -0.5)
        axes.grid(True, axis="x")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_title(METRICS[key].title, fontsize=9.5)


def _spread(centre: float, n: int, width: float = 0.14) -> list[float]:
    """Places for ``n`` seeds beside ``centre``, in their order, so that none hides another."""
    return [centre + width * ((index + 0.5) / n - 0.5) for index in range(n)]
