"""What happens over the layers: gradient and response of each, before the first update and after training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.reporting.figures.style import DASHED, draw_legend, scale_log_axis
from harness.reporting.series import Series, group_into_series
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.layer_profile import LayerProfile, kept_layers
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.results_table import LAYERS, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SERIES = 4
PANELS = (
    (0, "gradient", "Gradient, before training"),
    (1, "gradient", "Gradient, after training"),
    (1, "response", "Response, after training"),
)
"""Moment, what, title. Of a fresh network with BatchNorm every response has a standard deviation of 1."""


LABELS = {"gradient": "Gradient norm", "response": "Standard deviation"}


@dataclass(frozen=True)
class LayerCurve:
    """One variant's values by layer, in the seeds that have them.

    Attributes:
        moments: Profiles by rising seed, before the first update and at the last step.
    """

    line: Series
    variant: AnyVariant
    style: Any
    moments: tuple[list[LayerProfile], list[LayerProfile]]

    def table(self, moment: int, what: str) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Numbers of the layers (layers,), and decimal logarithms of the values above zero (seeds, layers)."""
        rows = [(p.layers, getattr(p, what)) for p in self.moments[moment] if getattr(p, what)]
        rows = [row for row in rows if row[0] == rows[0][0]]
        if not rows or rows[0][0] < 2:
            return None
        values = np.array([[np.nan if v is None or v <= 0 else v for v in row] for _, row in rows], dtype=np.float64)
        return None if np.isnan(values).all() else (np.array(kept_layers(rows[0][0])), np.log10(values))


def select_layer_curves(results: Results) -> list[LayerCurve]:
    """The deepest variant of each of the first four lines that has values by layer, and the shallowest, dashed."""
    frame = results.epochs
    rows = frame[frame[LAYERS] != ""]
    found: list[LayerCurve] = []
    for line in group_into_series(results.study):
        measured = [v for v in line.variants if (rows["variant"] == v.name).any()]
        if not measured or len({item.line.label for item in found}) >= MAX_SERIES:
            continue
        ends = [(measured[-1], "-"), *([(measured[0], DASHED)] if len(measured) > 1 else [])]
        for variant, style in ends:
            item = LayerCurve(line, variant, style, _moments(rows[rows["variant"] == variant.name]))
            if list_layer_panels([item]):
                found.append(item)
    return found


def _moments(rows: pd.DataFrame) -> tuple[list[LayerProfile], list[LayerProfile]]:
    ordered = rows.sort_values("seed", kind="stable")
    first = ordered["epoch"] == 0
    after = ~first & (ordered["outcome"] == TrialStatus.FINISHED)
    start, end = ([LayerProfile.model_validate_json(text) for text in ordered.loc[w, LAYERS]] for w in (first, after))
    return start, end


def find_normalisation(results: Results) -> set[bool]:
    """Whether the responses that are drawn are those of norms: of all, of none, or of some."""
    return {
        p.normalised for item in select_layer_curves(results) for moment in item.moments for p in moment if p.response
    }


def list_layer_panels(items: list[LayerCurve]) -> list[tuple[int, str, str]]:
    """Those of :data:`PANELS` that some variant has values for."""
    return [panel for panel in PANELS if any(item.table(panel[0], panel[1]) for item in items)]


def draw_layer_curves(figure: Figure, results: Results) -> None:
    """Gradient norm at both moments on one scale, then response: geometric means over seeds, bands over all seeds."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    items = select_layer_curves(results)
    shown = list_layer_panels(items)
    grid = figure.subplots(1, len(shown), squeeze=False)[0]
    drawn: dict[str, list[float]] = {"gradient": [], "response": []}
    for axes, (moment, what, title) in zip(grid, shown, strict=True):
        for item in items:
            drawn[what] += _line(axes, item, moment, what)
        axes.set_title(title)
        axes.set_xlabel("Layer, from the input")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    labelled: set[str] = set()
    for axes, (_, what, _) in zip(grid, shown, strict=True):
        scale_log_axis(axes, drawn[what])
        if what in labelled:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(LABELS[what])
        labelled.add(what)
    several = len({item.variant.depth for item in items}) > 1
    handles = [
        Line2D([], [], color=i.line.colour, linestyle=i.style, linewidth=2,
               label=i.line.label + (f", depth {i.variant.depth}" if several else ""))
        for i in items
    ]  # fmt: skip
    draw_legend(figure, handles)


def _line(axes: Axes, item: LayerCurve, moment: int, what: str) -> list[float]:
    """Draw one variant; the values that were drawn."""
    found = item.table(moment, what)
    if found is None:
        return []
    x, logs = found
    some = ~np.isnan(logs).all(axis=0)
    x, logs = x[some], logs[:, some]
    low, mean, high = 10 ** np.nanmin(logs, axis=0), 10 ** np.nanmean(logs, axis=0), 10 ** np.nanmax(logs, axis=0)
    colour, solid = item.line.colour, item.style == "-"
    axes.fill_between(x, low, high, color=colour, alpha=0.14 if solid else 0.08, linewidth=0)
    axes.plot(x, mean, color=colour, linestyle=item.style, linewidth=1.8 if solid else 1.4)
    return [*low.tolist(), *high.tolist()]
