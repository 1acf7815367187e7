"""The figure of a hyperparameter search: validation error against each searched field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.reporting.figures.series import group_into_series, shorten_label
from harness.reporting.figures.style import INK, MARKERS, draw_series_legend, scale_error_axis
from harness.reporting.search_trials import SearchTrial, format_value, list_search_trials
from harness.reporting.statistics.error_intervals import count_images
from harness.specs import ResolvedExperiment
from harness.specs.experiment.search_space import SearchRange
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import METRICS, VALIDATION_ERROR
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS = 3
AXIS_LABELS = {"lr": "Learning rate (peak)", "weight_decay": "Weight decay"}


@dataclass(frozen=True)
class VariantStyle:
    """Label, colour and marker of a variant in this figure."""

    label: str
    colour: str
    marker: str


def assign_variant_styles(study: ResolvedExperiment) -> dict[str, VariantStyle]:
    """Return a style for each variant by name: the colour of its series, and a marker that differs within it."""
    styles = {}
    for number, line in enumerate(group_into_series(study)):
        for index, variant in enumerate(line.variants):
            has_depths = len(line.variants) > 1
            label = f"{line.label}, depth {variant.depth}" if has_depths else shorten_label(variant.name)
            styles[variant.name] = VariantStyle(label, line.colour, MARKERS[(number + 2 * index) % len(MARKERS)])
    return {variant.name: styles[variant.name] for variant in study.variants}


def list_drawn_fields(study: ResolvedExperiment) -> list[str]:
    """Return the searched fields that get a panel, the learning rate first; empty if there is no search."""
    tune = study.experiment.tune
    fields = list(tune.fields) if tune is not None else []
    return sorted(fields, key=lambda name: name != "lr")[:MAX_PANELS]


def draw_search(figure: Figure, results: Results) -> None:
    """Draw one panel per searched field: every search trial a point, the common recipe a dashed line."""
    study, tune = results.study, results.study.experiment.tune
    assert tune is not None
    trials, styles = list_search_trials(results), assign_variant_styles(study)
    fields = list_drawn_fields(study)
    widths = [1.5 if name == "lr" else 1.0 for name in fields]
    panels = figure.subplots(1, len(fields), sharey=True, squeeze=False, width_ratios=widths)[0]
    draw_series_legend(figure, list(styles.values()))
    for axes, name in zip(panels, fields, strict=True):
        _draw_panel(axes, trials, styles, name, tune.fields[name], getattr(study.experiment.recipe, name))
    scale_error_axis(panels[0], [trial.error for trial in trials], max(count_images(VALIDATION_ERROR, study.data), 1))
    panels[0].set_title(METRICS[VALIDATION_ERROR].title)


def _draw_panel(
    axes: Axes,
    trials: Sequence[SearchTrial],
    styles: dict[str, VariantStyle],
    name: str,
    search_range: SearchRange,
    common: float,
) -> None:
    """Draw the trials of all variants against one field.

    Args:
        name: The searched field.
        search_range: Its range, or its list of values.
        common: Its value in the common recipe.
    """
    axes.set_xlabel(AXIS_LABELS.get(name, name.replace("_", " ").capitalize()))
    for number, (variant, style) in enumerate(styles.items()):
        own = [trial for trial in trials if trial.sample.variant == variant]
        if search_range.values:
            # Variants are drawn side by side around the tick of their value.
            offset = 0.5 * ((number + 0.5) / len(styles) - 0.5)
            xs = [search_range.values.index(trial.sample.fields[name]) + offset for trial in own]
        else:
            xs = [float(trial.sample.fields[name]) for trial in own]  # type: ignore[arg-type]
            _draw_line(axes, xs, own, style)
        for x, trial in zip(xs, own, strict=True):
            _draw_point(axes, x, trial, style)
    if search_range.values:
        axes.set_xticks(range(len(search_range.values)), [format_value(value) for value in search_range.values])
        axes.set_xlim(-0.5, len(search_range.values) - 0.5)
        return
    if search_range.log:
        _use_logarithmic_scale(axes)
    axes.axvline(float(common), color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.6, zorder=1)


def _draw_line(axes: Axes, xs: Sequence[float], trials: Sequence[SearchTrial], style: VariantStyle) -> None:
    """Join the trials that used their whole budget, by rising value of the field."""
    points = sorted(
        (x, trial.error) for x, trial in zip(xs, trials, strict=True) if trial.outcome is not TrialStatus.PRUNED
    )
    axes.plot([x for x, _ in points], [y for _, y in points], color=style.colour, linewidth=1.2, alpha=0.45)


def _draw_point(axes: Axes, x: float, trial: SearchTrial, style: VariantStyle) -> None:
    """Draw one trial: hollow if it was pruned, a cross if it diverged, in a circle if its sample was chosen."""
    is_pruned = trial.outcome is TrialStatus.PRUNED
    marker = "x" if trial.outcome is TrialStatus.DIVERGED else style.marker
    axes.plot(
        [x], [trial.error], color=style.colour, marker=marker, markersize=7,
        markerfacecolor="white" if is_pruned else style.colour, alpha=0.9, zorder=3, linestyle="",
    )  # fmt: skip
    if trial.is_chosen:
        axes.plot(
            [x], [trial.error], color=style.colour, marker="o", markersize=14, markerfacecolor="none",
            markeredgewidth=1.4, linestyle="", zorder=4,
        )  # fmt: skip


def _use_logarithmic_scale(axes: Axes) -> None:
    """Make the x axis logarithmic, with ticks at 1, 2 and 5 in each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
