"""What happens over the epochs: training and test error, and the gradient at three convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from harness.reporting.figures.style import DASHED, scale_error_axis, draw_legend
from harness.reporting.series import Series, group_into_series, shorten_label
from harness.reporting.statistics.estimates import t_interval_factor
from harness.reporting.verdicts.components import SEEDS_FOR_INTERVALS, count_images
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SEED_LINES = 40
"""Seeds of one variant up to which each has its line; of more, the means and their intervals alone."""
GRADIENT_LINES = {
    "grad/first": ("first", "#D55E00", "-"),
    "grad/middle": ("middle", "#009E73", "--"),
    "grad/last": ("last", "#0072B2", ":"),
}


def choose_training_error(results: Results) -> str:
    """Clean training error where it was measured, else online."""
    clean = results.epochs["train/error_clean"].notna().any()
    return "train/error_clean" if clean else "train/error"


def has_training_curves(results: Results) -> bool:
    """Whether some trial measured a training or test error at two epochs."""
    frame = results.epochs
    return any(
        frame[frame[k].notna()].groupby("trial").size().gt(1).any() for k in (choose_training_error(results), "test/error")
    )


def values_by_epoch(results: Results, variant: AnyVariant, key: str) -> pd.DataFrame:
    """``key`` of one variant: epochs as rows, seeds as columns. A diverged trial goes on at chance error.

    So a mean over seeds is over the same seeds at every epoch, and does not fall when a bad one drops out.
    """
    columns = ["epoch", "seed", "outcome", key]
    rows = results.epochs.loc[results.epochs["variant"] == variant.name, columns]
    table = rows.pivot_table(index="epoch", columns="seed", values=key, aggfunc="last", dropna=False).sort_index()
    table = table.dropna(how="all", axis=1)
    if key.startswith("grad/"):
        return table.dropna(how="all")
    ends = rows[rows["outcome"] == TrialStatus.DIVERGED].groupby("seed")["epoch"].max()
    # Where it diverges a trial is evaluated out of turn, at epochs at which the others have no value.
    in_turn = results.epochs[results.epochs["outcome"] != TrialStatus.DIVERGED]
    measured = in_turn if in_turn[key].notna().any() else results.epochs
    epochs = sorted(measured.loc[measured[key].notna(), "epoch"].unique())
    table = table.reindex(epochs)
    for seed, end in ends.items():
        if seed in table.columns:
            table.loc[table.index >= end, seed] = results.study.data.chance_error
    return table.dropna(how="all")


def panel_grid(depths: int) -> tuple[int, int]:
    """Rows and columns for so many panels."""
    columns = 2 if depths == 4 else min(depths, 3)
    return -(-depths // columns), columns


def draw_training_curves(figure: Figure, results: Results) -> None:
    """One panel per depth: test error in full lines, training error dashed (He et al. 2015, fig. 1 and 4).

    Each seed is a thin line; a band is the 95 % t interval of the mean.
    """
    from matplotlib.lines import Line2D

    lines = group_into_series(results.study)
    depths = sorted({depth for line in lines for depth in line.depths})
    rows, columns = panel_grid(len(depths))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    key, shown, used = choose_training_error(results), [], []
    # Of more lines than there are colours, marks tell those of one colour apart.
    marked = len({line.colour for line in lines}) < len(lines)
    for axes, depth in zip(grid, depths, strict=False):
        axes.set_title(f"Depth {depth}")
        for line in lines:
            for variant in (v for v in line.variants if v.depth == depth):
                used += [line] if line not in used else []
                for metric, style, width in ((key, DASHED, 1.6), ("test/error", "-", 2.2)):
                    table = values_by_epoch(results, variant, metric)
                    if table.empty:
                        continue
                    shown += table.to_numpy()[np.isfinite(table.to_numpy())].tolist()
                    if table.shape[1] <= MAX_SEED_LINES:
                        axes.plot(table.index, table, color=line.colour, linewidth=0.5, alpha=0.3, linestyle=style)
                    x, low, high = _band(table)
                    axes.fill_between(x, low, high, color=line.colour, alpha=0.17, linewidth=0)
                    marks = {"marker": line.marker, "markevery": max(len(table) // 6, 1)} if marked else {}
                    axes.plot(
                        table.index, table.mean(axis=1), color=line.colour, linewidth=width, linestyle=style, **marks
                    )
    for axes in grid[len(depths) :]:
        axes.set_visible(False)
    scale_error_axis(grid[0], shown, count_images(key, results.study.data))
    for axes in grid[::columns]:
        axes.set_ylabel("Error (%)")
    for axes in grid[max(len(depths) - columns, 0) : len(depths)]:
        axes.set_xlabel("Epoch")
        axes.tick_params(labelbottom=True)
    name = "training, clean" if key.endswith("clean") else "training, online"
    handles = [
        Line2D([], [], color=line.colour, linewidth=2, label=line.label, marker=line.marker if marked else None)
        for line in used
    ]
    styles = [("-", 2.2, "test"), (DASHED, 1.6, name)]
    handles += [Line2D([], [], color="#57606a", linewidth=w, linestyle=s, label=text) for s, w, text in styles]
    draw_legend(figure, handles)


def _band(table: pd.DataFrame) -> tuple[list[int], list[float], list[float]]:
    """Epochs with five seeds or more, and the 95 % t interval of their mean, cut at 0 and 100 %."""
    epochs, low, high = [], [], []
    for epoch, n, mean, sd in zip(table.index, table.count(axis=1), table.mean(axis=1), table.std(axis=1), strict=True):
        if n >= SEEDS_FOR_INTERVALS:
            half = t_interval_factor(int(n)) * sd
            epochs.append(int(epoch))
            low.append(max(mean - half, 0.0))
            high.append(min(mean + half, 100.0))
    return epochs, low, high


def list_gradient_variants(results: Results) -> list[tuple[Series, AnyVariant]]:
    """The deepest variant of each of the first three lines that has a gradient norm on record."""
    frame = results.epochs
    measured = set(frame.loc[frame[list(GRADIENT_LINES)].gt(0).any(axis=1), "variant"])
    lines = [(line, [v for v in line.variants if v.name in measured]) for line in group_into_series(results.study)]
    return [(line, found[-1]) for line, found in lines if found][:3]


def draw_gradients(figure: Figure, results: Results) -> None:
    """Geometric mean over seeds of the gradient norm, with the range of all seeds; logarithmic."""
    chosen = list_gradient_variants(results)
    grid = figure.subplots(1, len(chosen), sharey=True, squeeze=False).ravel()
    for axes, (line, variant) in zip(grid, chosen, strict=True):
        for key, (position, colour, style) in GRADIENT_LINES.items():
            table = values_by_epoch(results, variant, key)
            logs = table.where(table > 0).apply(np.log10).dropna(how="all")
            if logs.empty:
                continue
            x, mean = logs.index.to_numpy(), 10 ** logs.mean(axis=1)
            axes.fill_between(x, 10 ** logs.min(axis=1), 10 ** logs.max(axis=1), color=colour, alpha=0.14, linewidth=0)
            axes.plot(x, mean, color=colour, linestyle=style, linewidth=2, label=f"{position} convolution")
        axes.set_yscale("log")
        axes.set_title(f"{line.label}: {shorten_label(variant.name)}")
        axes.set_xlabel("Epoch (0: before the first update)")
    grid[0].set_ylabel("Gradient norm")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", borderaxespad=0.5, ncols=3)
