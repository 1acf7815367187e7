"""All figures of an experiment's report, and which of them its results have data for."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting.figures.drawable_effects import effects_figure_height, list_drawable_effects
from harness.reporting.figures.effects import draw_effects
from harness.reporting.figures.error_against_cost import CostPanels, draw_error_against_cost, list_cost_panels
from harness.reporting.figures.errors_by_variant import (
    draw_errors_by_depth,
    draw_errors_by_variant,
    list_drawn_errors,
)
from harness.reporting.figures.layer_curves import draw_layer_curves, select_layer_curves
from harness.reporting.figures.search import draw_search
from harness.reporting.figures.series import MAX_ROWS, has_few_series, has_several_depths
from harness.reporting.figures.style import panel_grid, render_figure
from harness.reporting.figures.training_curves import (
    draw_gradients,
    draw_training_curves,
    has_training_curves,
    list_gradient_variants,
)
from harness.reporting.search_trials import list_search_trials
from harness.reporting.stages.looks import declared_stages, list_looks
from harness.reporting.stages.stages_figure import draw_stages, select_panels, stages_figure_height
from harness.reporting.variance.figure import draw_variance, has_variance_figure
from harness.reporting.verdicts.verdict import Verdict
from harness.tracking.results_table import Results

FIGURE_NAMES = (
    "variance",
    "depth",
    "variants",
    "costs",
    "effects",
    "stages",
    "tuning",
    "curves",
    "layers",
    "gradients",
)
"""Names of all figures, in the order of the report."""
WIDTH = 9.2
"""Width of every figure, in inches."""


def draw_figures(
    results: Results, verdicts: Sequence[Verdict] = (), cost_panels: CostPanels | None = None
) -> dict[str, dict[str, bytes]]:
    """Return the figures by name, each as ``svg`` and ``png``; a figure without data is left out.

    Args:
        verdicts: Verdicts whose effects the figure ``effects`` shows.
        cost_panels: Panels of the figure ``costs``; None: computed here.
    """
    study, errors = results.study, list_drawn_errors(results)
    figures: dict[str, dict[str, bytes]] = {}
    if has_variance_figure(results):
        height = 1.6 + 0.5 * len(study.variants)
        figures["variance"] = render_figure(WIDTH, height, lambda f: draw_variance(f, results))
    has_readable_lines = has_few_series(study)
    if errors and has_readable_lines and has_several_depths(study):
        height = 5.0 if len(errors) > 2 else 4.2
        figures["depth"] = render_figure(WIDTH, height, lambda f: draw_errors_by_depth(f, results))
    elif errors and len(study.variants) <= MAX_ROWS:
        height = min(1.5 + 0.42 * len(study.variants), 14)
        figures["variants"] = render_figure(WIDTH, height, lambda f: draw_errors_by_variant(f, results))
    cost_panels = list_cost_panels(results) if cost_panels is None else cost_panels
    if cost_panels:
        height = 0.8 + 3.4 * panel_grid(len(cost_panels))[0]
        figures["costs"] = render_figure(WIDTH, height, lambda f: draw_error_against_cost(f, results, cost_panels))
    if groups := list_drawable_effects(verdicts):
        figures["effects"] = render_figure(WIDTH, effects_figure_height(groups), lambda f: draw_effects(f, groups))
    if panels_of_stages := select_panels(list_looks(study, verdicts)):
        stages, height = declared_stages(verdicts), stages_figure_height(panels_of_stages)
        figures["stages"] = render_figure(WIDTH, height, lambda f: draw_stages(f, panels_of_stages, stages))
    if list_search_trials(results):
        figures["tuning"] = render_figure(WIDTH, 4.4, lambda f: draw_search(f, results))
    if has_readable_lines and has_training_curves(results):
        height = 0.7 + 2.9 * panel_grid(len({v.depth for v in study.variants}))[0]
        figures["curves"] = render_figure(WIDTH, height, lambda f: draw_training_curves(f, results))
    if select_layer_curves(results):
        figures["layers"] = render_figure(WIDTH, 3.9, lambda f: draw_layer_curves(f, results))
    if list_gradient_variants(results):
        figures["gradients"] = render_figure(WIDTH, 3.7, lambda f: draw_gradients(f, results))
    return figures
