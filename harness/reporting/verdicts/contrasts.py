"""From a declared contrast to the components that it is tested by."""

from __future__ import annotations

import pandas as pd

from harness.reporting.verdicts.components import Component, cell, compare_and_test
from harness.specs import Contrast, Degradation, Difference, ResolvedExperiment
from harness.tracking.metrics import TRAINING_ERRORS


def build_components(
    study: ResolvedExperiment, contrast: Contrast, cells: dict[str, str], final: pd.DataFrame, without: frozenset[int]
) -> tuple[Component, ...]:
    """Measure a contrast over the last epochs ``final`` of its ``cells``, seeds ``without`` left out."""
    if isinstance(contrast, Degradation):
        return _degradation(study, contrast, cells, final, without)
    return _difference(study, contrast, cells, final, without)


def _degradation(
    study: ResolvedExperiment,
    contrast: Degradation,
    cells: dict[str, str],
    final: pd.DataFrame,
    without: frozenset[int],
) -> tuple[Component, ...]:
    """Plain deep - shallow > 0; residual deep - shallow < margin; their difference > 0."""
    margin, smallest = contrast.margin, contrast.smallest_effect or contrast.margin
    depths = f"depth {contrast.deep} − depth {contrast.shallow}"
    e = {
        error: {role: cell(final, name, error, without) for role, name in cells.items()}
        for error in reversed(TRAINING_ERRORS)
    }
    plain = tuple(
        compare_and_test(k, [c["plain_deep"]], [c["plain_shallow"]], "greater", 0.0, margin, study.data) for k, c in e.items()
    )
    residual = tuple(
        compare_and_test(k, [c["residual_deep"]], [c["residual_shallow"]], "less", margin, margin, study.data)
        for k, c in e.items()
    )
    both = tuple(
        compare_and_test(
            k,
            [c["plain_deep"], c["plain_shallow"]],
            [c["residual_deep"], c["residual_shallow"]],
            "greater",
            0.0,
            0.0,
            study.data,
        )
        for k, c in e.items()
    )
    return (
        Component("plain", f"plain, {depths}", "greater", 0.0, margin, smallest, plain),
        Component("residual", f"residual, {depths}", "less", margin, margin, margin, residual),
        Component("interaction", "plain change − residual change", "greater", 0.0, 0.0, smallest, both),
    )


def _difference(
    study: ResolvedExperiment, contrast: Difference, cells: dict[str, str], final: pd.DataFrame, without: frozenset[int]
) -> tuple[Component, ...]:
    """One component: the metric of a minus that of b."""
    a, b = (cell(final, cells[role], contrast.metric, without) for role in ("a", "b"))
    measured = compare_and_test(contrast.metric, [a], [b], contrast.side, 0.0, 0.0, study.data)
    label = f"{cells['a']} − {cells['b']}"
    smallest = contrast.smallest_effect
    return (Component("difference", label, contrast.side, 0.0, 0.0, smallest, (measured,)),)
