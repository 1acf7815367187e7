"""The components of each kind of contrast, with their effects estimated and their outcomes still open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from harness.reporting.statistics.seed_values import SeedValues, values_by_seed
from harness.reporting.time_to_target.component import build_time_to_target
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import compare_cells
from harness.reporting.verdicts.outcomes import (
    Outcome,
    OutcomeResult,
    difference_outcomes,
    interaction_outcomes,
    plain_outcomes,
    residual_outcomes,
)
from harness.specs import Contrast, Degradation, Difference
from harness.tracking.metrics import TRAINING_ERRORS
from harness.tracking.results_table import Results


def build_components(
    results: Results, contrast: Contrast, names: dict[str, str], final: pd.DataFrame, excluded_seeds: frozenset[int]
) -> tuple[Component, ...]:
    """Return the components of a contrast. Their outcomes are decided later, over the stages.

    Args:
        names: Names of the compared variants, by their role in the contrast.
        final: The last epoch of every trial, one row each.
        excluded_seeds: Seeds to leave out.
    """
    return BUILDERS[contrast.kind](results, contrast, names, final, excluded_seeds)


def open_outcomes(outcomes: Sequence[Outcome]) -> tuple[OutcomeResult, ...]:
    """Return the outcomes of a component that is not tested yet."""
    return tuple(OutcomeResult(outcome) for outcome in outcomes)


def _build_degradation(
    results: Results, contrast: Degradation, names: dict[str, str], final: pd.DataFrame, excluded_seeds: frozenset[int]
) -> tuple[Component, ...]:
    """Return three components: plain change, residual change, and the first minus the second.

    A change is the training error of the deep network minus that of the shallow one.
    """
    study = results.study
    margin, smallest = contrast.margin, contrast.smallest_effect or contrast.margin
    # Clean training error first, as in the tables.
    errors = {
        metric: {role: values_by_seed(final, name, metric, excluded_seeds) for role, name in names.items()}
        for metric in reversed(TRAINING_ERRORS)
    }

    def build(
        name: str, label: str, a: tuple[str, ...], b: tuple[str, ...], outcomes: Sequence[Outcome], effect: float
    ) -> Component:
        """Build the component of an effect: the roles ``a`` minus the roles ``b``."""
        tests = tuple(
            compare_cells(metric, _select(values, a), _select(values, b), study.experiment.seeds, study.data)
            for metric, values in errors.items()
        )
        variants = tuple(names[role] for role in (*a, *b))
        return Component(name, label, open_outcomes(outcomes), effect, tests, variants)

    depths = f"depth {contrast.deep} − depth {contrast.shallow}"
    plain, residual = ("plain_deep", "plain_shallow"), ("residual_deep", "residual_shallow")
    return (
        build("plain", f"plain, {depths}", plain[:1], plain[1:], plain_outcomes(smallest), smallest),
        build("residual", f"residual, {depths}", residual[:1], residual[1:], residual_outcomes(margin), margin),
        build("interaction", "plain change − residual change", plain, residual, interaction_outcomes(), smallest),
    )


def _select(values: dict[str, dict[int, float]], roles: tuple[str, ...]) -> list[SeedValues]:
    return [values[role] for role in roles]


def _build_difference(
    results: Results, contrast: Difference, names: dict[str, str], final: pd.DataFrame, excluded_seeds: frozenset[int]
) -> tuple[Component, ...]:
    """Return one component: the metric of variant a minus that of variant b."""
    study = results.study
    variants = names["a"], names["b"]
    a, b = (values_by_seed(final, name, contrast.metric, excluded_seeds) for name in variants)
    test = compare_cells(contrast.metric, [a], [b], study.experiment.seeds, study.data)
    outcomes = open_outcomes(difference_outcomes(contrast.side, contrast.share))
    label = " − ".join(variants)
    return (Component("difference", label, outcomes, contrast.smallest_effect, (test,), variants),)


Builder = Callable[[Results, Any, dict[str, str], pd.DataFrame, frozenset[int]], tuple[Component, ...]]
BUILDERS: dict[str, Builder] = {
    "degradation": _build_degradation,
    "difference": _build_difference,
    "time_to_target": build_time_to_target,
}
"""For each kind of contrast, what builds its components; see :func:`build_components` for the arguments."""
