"""The figure of gradients and responses layer by layer, before the first update and after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.reporting.figures.series import Series, group_into_series
from harness.reporting.figures.style import DASHED, draw_legend, scale_log_axis
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_profile import LayerProfile, sampled_layers
from harness.tracking.results_table import LAYERS_COLUMN, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Quantity = Literal["gradient", "response"]
MAX_SERIES = 4
"""Most lines that the figure shows; each has up to two curves."""


class LayerPanel(NamedTuple):
    """A panel of the figure.

    Attributes:
        after_training: Whether it shows the last step of training; else the first batch, before any update.
    """

    title: str
    quantity: Quantity
    after_training: bool


PANELS = (
    LayerPanel("Gradient, before training", "gradient", False),
    LayerPanel("Gradient, after training", "gradient", True),
    LayerPanel("Response, after training", "response", True),
)
"""Responses before training are left out: BatchNorm makes the standard deviation of each of them 1."""
AXIS_LABELS: dict[Quantity, str] = {"gradient": "Gradient norm", "response": "Standard deviation"}


@dataclass(frozen=True)
class LayerCurve:
    """The layer profiles of one variant's seeds.

    Attributes:
        style: Line style: solid for the deepest variant of a line, dashed for the shallowest.
        before_training: Profiles before the first update, by rising seed.
        after_training: Profiles of the last step of training, by rising seed; only of finished trials.
    """

    line: Series
    variant: AnyVariant
    style: Any
    before_training: list[LayerProfile]
    after_training: list[LayerProfile]

    def read_panel(self, panel: LayerPanel) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Return the layers' numbers (layers,) and the decimal logarithms of their values (seeds, layers).

        A value that is missing or not above zero is NaN. The result is None where the panel has no curve: no profile,
        fewer than two layers, or no value above zero.
        """
        profiles = self.after_training if panel.after_training else self.before_training
        rows = [(p.layers, getattr(p, panel.quantity)) for p in profiles if getattr(p, panel.quantity)]
        rows = [row for row in rows if row[0] == rows[0][0]]
        if not rows or rows[0][0] < 2:
            return None
        values = np.array([[np.nan if v is None or v <= 0 else v for v in row] for _, row in rows], dtype=np.float64)
        return None if np.isnan(values).all() else (np.array(sampled_layers(rows[0][0])), np.log10(values))


def select_layer_curves(results: Results) -> list[LayerCurve]:
    """Return the deepest and the shallowest variant with layer profiles of each of the first four lines."""
    frame = results.epochs
    rows = frame[frame[LAYERS_COLUMN] != ""]
    curves: list[LayerCurve] = []
    for line in group_into_series(results.study):
        measured = [v for v in line.variants if (rows["variant"] == v.name).any()]
        if not measured or len({curve.line.label for curve in curves}) >= MAX_SERIES:
            continue
        styles = [(measured[-1], "-"), *([(measured[0], DASHED)] if len(measured) > 1 else [])]
        for variant, style in styles:
            curve = LayerCurve(line, variant, style, *_read_profiles(rows[rows["variant"] == variant.name]))
            if list_layer_panels([curve]):
                curves.append(curve)
    return curves


def _read_profiles(rows: pd.DataFrame) -> tuple[list[LayerProfile], list[LayerProfile]]:
    """Return the profiles before and after training, by rising seed."""
    ordered = rows.sort_values("seed", kind="stable")
    is_before = ordered["epoch"] == 0
    is_after = ~is_before & (ordered["outcome"] == TrialStatus.FINISHED)
    before, after = (
        [LayerProfile.model_validate_json(text) for text in ordered.loc[selected, LAYERS_COLUMN]]
        for selected in (is_before, is_after)
    )
    return before, after


def find_normalisation(results: Results) -> set[bool]:
    """Return whether the responses in the figure were measured after a norm: both values where networks differ."""
    return {
        profile.normalised
        for curve in select_layer_curves(results)
        for profile in (*curve.before_training, *curve.after_training)
        if profile.response
    }


def list_layer_panels(curves: Sequence[LayerCurve]) -> list[LayerPanel]:
    """Return the panels that some curve has values for."""
    return [panel for panel in PANELS if any(curve.read_panel(panel) for curve in curves)]


def draw_layer_curves(figure: Figure, results: Results) -> None:
    """Draw the geometric mean over seeds of each curve, and a band over all seeds; both gradients share one scale."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    curves = select_layer_curves(results)
    panels = list_layer_panels(curves)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    drawn: dict[Quantity, list[float]] = {"gradient": [], "response": []}
    for axes, panel in zip(grid, panels, strict=True):
        for curve in curves:
            drawn[panel.quantity] += _draw_curve(axes, curve, panel)
        axes.set_title(panel.title)
        axes.set_xlabel("Layer, from the input")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    labelled: set[Quantity] = set()
    for axes, panel in zip(grid, panels, strict=True):
        scale_log_axis(axes, drawn[panel.quantity])
        if panel.quantity in labelled:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(AXIS_LABELS[panel.quantity])
        labelled.add(panel.quantity)
    has_several_depths = len({curve.variant.depth for curve in curves}) > 1
    handles = [
        Line2D([], [], color=curve.line.colour, linestyle=curve.style, linewidth=2,
               label=curve.line.label + (f", depth {curve.variant.depth}" if has_several_depths else ""))
        for curve in curves
    ]  # fmt: skip
    draw_legend(figure, handles)


def _draw_curve(axes: Axes, curve: LayerCurve, panel: LayerPanel) -> list[float]:
    """Draw one variant in one panel, and return the ends of its band."""
    data = curve.read_panel(panel)
    if data is None:
        return []
    x, logs = data
    has_value = ~np.isnan(logs).all(axis=0)
    x, logs = x[has_value], logs[:, has_value]
    low, mean, high = 10 ** np.nanmin(logs, axis=0), 10 ** np.nanmean(logs, axis=0), 10 ** np.nanmax(logs, axis=0)
    colour, is_solid = curve.line.colour, curve.style == "-"
    axes.fill_between(x, low, high, color=colour, alpha=0.14 if is_solid else 0.08, linewidth=0)
    axes.plot(x, mean, color=colour, linestyle=curve.style, linewidth=1.8 if is_solid else 1.4)
    return [*low.tolist(), *high.tolist()]
