"""The figures over the epochs: training and test error, and the gradient norm at three convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from harness.reporting.figures.series import Series, group_into_series, shorten_label
from harness.reporting.figures.style import DASHED, draw_legend, panel_grid, scale_error_axis
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS, count_images
from harness.reporting.statistics.intervals import t_interval_factor
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.metrics import (
    CLEAN_TRAINING_ERROR,
    FIRST_GRADIENT,
    LAST_GRADIENT,
    MIDDLE_GRADIENT,
    ONLINE_TRAINING_ERROR,
    TEST_ERROR,
)
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SEED_LINES = 40
"""Most seeds of one variant for which each has a thin line; of more, only mean and interval are drawn."""
TEST_WIDTH, TRAINING_WIDTH = 2.2, 1.6


class GradientLine(NamedTuple):
    """The line of one convolution's gradient norm."""

    label: str
    colour: str
    style: str


GRADIENT_LINES = {
    FIRST_GRADIENT: GradientLine("first convolution", "#D55E00", "-"),
    MIDDLE_GRADIENT: GradientLine("middle convolution", "#009E73", "--"),
    LAST_GRADIENT: GradientLine("last convolution", "#0072B2", ":"),
}
"""Lines by their metric."""


def choose_training_error(results: Results) -> str:
    """Return the metric of the clean training error, or of the online one where the clean one was not measured."""
    has_clean = results.epochs[CLEAN_TRAINING_ERROR].notna().any()
    return CLEAN_TRAINING_ERROR if has_clean else ONLINE_TRAINING_ERROR


def has_training_curves(results: Results) -> bool:
    """Return whether some trial has a training or test error at two epochs or more."""
    frame = results.epochs
    metrics = (choose_training_error(results), TEST_ERROR)
    return any(frame[frame[metric].notna()].groupby("trial").size().gt(1).any() for metric in metrics)


def values_by_epoch(results: Results, variant: AnyVariant, metric: str) -> pd.DataFrame:
    """Return one variant's values of a metric, with epochs as rows and seeds as columns.

    A diverged trial continues at chance error. So every mean is over the same seeds, and does not improve when a bad
    trial ends. Gradient norms have no such value and end with the trial.
    """
    columns = ["epoch", "seed", "outcome", metric]
    rows = results.epochs.loc[results.epochs["variant"] == variant.name, columns]
    table = rows.pivot_table(index="epoch", columns="seed", values=metric, aggfunc="last", dropna=False).sort_index()
    table = table.dropna(how="all", axis=1)
    if metric.startswith("grad/"):
        return table.dropna(how="all")
    # A diverged trial was also evaluated at its last epoch, at which the other trials may have no value.
    regular = results.epochs[results.epochs["outcome"] != TrialStatus.DIVERGED]
    measured = regular if regular[metric].notna().any() else results.epochs
    table = table.reindex(sorted(measured.loc[measured[metric].notna(), "epoch"].unique()))
    last_epochs = rows[rows["outcome"] == TrialStatus.DIVERGED].groupby("seed")["epoch"].max()
    for seed, last_epoch in last_epochs.items():
        if seed in table.columns:
            table.loc[table.index >= last_epoch, seed] = results.study.data.chance_error
    return table.dropna(how="all")


def interval_by_epoch(table: pd.DataFrame) -> pd.DataFrame:
    """Return the 95 % t interval of the mean at every epoch with five seeds or more.

    Args:
        table: Errors in percent, with epochs as rows and seeds as columns.

    Returns:
        Columns ``low`` and ``high``, cut at 0 and 100, with epochs as rows.
    """
    count = table.count(axis=1)
    table, count = table[count >= SEEDS_FOR_INTERVALS], count[count >= SEEDS_FOR_INTERVALS]
    mean, half_width = table.mean(axis=1), count.map(t_interval_factor) * table.std(axis=1)
    return pd.DataFrame({"low": (mean - half_width).clip(lower=0), "high": (mean + half_width).clip(upper=100)})


def draw_training_curves(figure: Figure, results: Results) -> None:
    """Draw one panel per depth, as He et al. 2015 in their figures 1 and 4: test error solid, training error dashed.

    Each seed is a thin line, and a band is the 95 % t interval of the mean. Trials of a crossed design share seeds, for
    which that interval is too narrow: there are no bands then.
    """
    from matplotlib.lines import Line2D

    lines = group_into_series(results.study)
    depths = sorted({depth for line in lines for depth in line.depths})
    rows, columns = panel_grid(len(depths))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    training_error = choose_training_error(results)
    # Where two lines share a colour, markers tell them apart.
    has_markers = len({line.colour for line in lines}) < len(lines)
    has_bands = results.study.experiment.variance is None
    drawn: list[float] = []
    for axes, depth in zip(grid, depths, strict=False):
        axes.set_title(f"Depth {depth}")
        for line in lines:
            for variant in (v for v in line.variants if v.depth == depth):
                marker = line.marker if has_markers else None
                training, test = (values_by_epoch(results, variant, m) for m in (training_error, TEST_ERROR))
                drawn += _draw_errors(axes, training, line.colour, DASHED, TRAINING_WIDTH, marker, has_bands)
                drawn += _draw_errors(axes, test, line.colour, "-", TEST_WIDTH, marker, has_bands)
    for axes in grid[len(depths) :]:
        axes.set_visible(False)
    for axes in grid[::columns]:
        scale_error_axis(axes, drawn, count_images(training_error, results.study.data), "Error (%)")
    for axes in grid[max(len(depths) - columns, 0) : len(depths)]:
        axes.set_xlabel("Epoch")
        axes.tick_params(labelbottom=True)
    training_label = "training, clean" if training_error.endswith("clean") else "training, online"
    # In the order in which the panels show them.
    shown_lines = sorted(lines, key=lambda line: line.depths[0])
    handles = [
        Line2D([], [], color=line.colour, linewidth=2, label=line.label, marker=line.marker if has_markers else None)
        for line in shown_lines
    ]
    styles = [("-", TEST_WIDTH, "test"), (DASHED, TRAINING_WIDTH, training_label)]
    handles += [Line2D([], [], color="#57606a", linewidth=w, linestyle=s, label=label) for s, w, label in styles]
    draw_legend(figure, handles)


def _draw_errors(
    axes: Axes, table: pd.DataFrame, colour: str, style: Any, width: float, marker: str | None, has_band: bool
) -> list[float]:
    """Draw the seeds, the band and the mean of one error, and return the values that were drawn."""
    if table.empty:
        return []
    if table.shape[1] <= MAX_SEED_LINES:
        axes.plot(table.index, table, color=colour, linewidth=0.5, alpha=0.3, linestyle=style)
    if has_band:
        band = interval_by_epoch(table)
        axes.fill_between(band.index, band["low"], band["high"], color=colour, alpha=0.17, linewidth=0)
    markers: dict[str, Any] = {"marker": marker, "markevery": max(len(table) // 6, 1)} if marker else {}
    axes.plot(table.index, table.mean(axis=1), color=colour, linewidth=width, linestyle=style, **markers)
    values = table.to_numpy()
    return values[np.isfinite(values)].tolist()


def list_gradient_variants(results: Results) -> list[tuple[Series, AnyVariant]]:
    """Return the deepest variant with a recorded gradient norm of each line, for the first three such lines."""
    frame = results.epochs
    measured = set(frame.loc[frame[list(GRADIENT_LINES)].gt(0).any(axis=1), "variant"])
    deepest: list[tuple[Series, AnyVariant]] = []
    for line in group_into_series(results.study):
        variants = [variant for variant in line.variants if variant.name in measured]
        if variants:
            deepest.append((line, variants[-1]))
    return deepest[:3]


def draw_gradients(figure: Figure, results: Results) -> None:
    """Draw the geometric mean over seeds of each gradient norm and a band over all seeds, on a logarithmic axis."""
    chosen = list_gradient_variants(results)
    grid = figure.subplots(1, len(chosen), sharey=True, squeeze=False).ravel()
    for axes, (line, variant) in zip(grid, chosen, strict=True):
        for metric, (label, colour, style) in GRADIENT_LINES.items():
            table = values_by_epoch(results, variant, metric)
            logs = table.where(table > 0).apply(np.log10).dropna(how="all")
            if logs.empty:
                continue
            x, mean = logs.index.to_numpy(), 10 ** logs.mean(axis=1)
            axes.fill_between(x, 10 ** logs.min(axis=1), 10 ** logs.max(axis=1), color=colour, alpha=0.14, linewidth=0)
            axes.plot(x, mean, color=colour, linestyle=style, linewidth=2, label=label)
        axes.set_yscale("log")
        axes.set_title(f"{line.label}: {shorten_label(variant.name)}")
        axes.set_xlabel("Epoch (0: before the first update)")
    grid[0].set_ylabel("Gradient norm")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", borderaxespad=0.5, ncols=3)
