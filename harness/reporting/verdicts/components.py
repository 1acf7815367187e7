"""The components of a contrast: each a claim about one effect, tested in every error that must confirm it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.reporting.statistics.comparisons import Side
from harness.reporting.statistics.effect_test import EffectTest, compare_and_test
from harness.reporting.statistics.seed_values import SeedValues, values_by_seed
from harness.specs import Contrast, Degradation, Difference, ResolvedExperiment
from harness.tracking.metrics import TRAINING_ERRORS


@dataclass(frozen=True)
class Component:
    """One claim that a verdict rests on, with its test in every error that must confirm it.

    Attributes:
        name: ``plain``, ``residual``, ``interaction`` or ``difference``.
        label: The effect, such as ``plain, depth 32 − depth 8``.
        side: Side of ``threshold`` on which the effect is claimed to lie.
        threshold: Threshold of the effect, in percentage points.
        smallest_effect: Smallest distance from the threshold that is of interest, in percentage points.
        tests: One for each error. The claim holds only if it holds in all of them.
    """

    name: str
    label: str
    side: Side
    threshold: float
    smallest_effect: float
    tests: tuple[EffectTest, ...]

    @property
    def weakest_test(self) -> EffectTest:
        """The test that supports the claim least: by fewer pairs, then the larger p, then the weaker effect."""
        return max(self.tests, key=lambda t: (-t.n, t.p if t.p is not None else -1.0, -self._strength(t)))

    @property
    def weakest_opposite_test(self) -> EffectTest:
        """The test that supports the opposite claim least, by the same order."""
        return max(
            self.tests, key=lambda t: (-t.n, t.p_opposite if t.p_opposite is not None else -1.0, self._strength(t))
        )

    def _strength(self, test: EffectTest) -> float:
        """Return how far the effect is on the claimed side, in percentage points; it decides if p values are equal."""
        effect = test.effect or 0.0
        return {"greater": effect, "less": -effect, "two-sided": abs(effect)}[self.side]

    @property
    def n(self) -> int:
        """Pairs (or seeds of the smallest group) of the test that has fewest."""
        return min(test.n for test in self.tests)

    @property
    def p(self) -> float | None:
        """p of the claim: the largest of its tests. None where a test has none."""
        return None if any(test.p is None for test in self.tests) else self.weakest_test.p

    @property
    def p_opposite(self) -> float | None:
        """p of the opposite claim: the largest of its tests. None where a test has none."""
        has_all = all(test.p_opposite is not None for test in self.tests)
        return self.weakest_opposite_test.p_opposite if has_all else None

    def is_limited_by_images(self, level: float) -> bool:
        """Return whether the claim fails at ``level`` in an error that is equal in all seeds.

        More seeds would not help there: only more images make the interval over images narrower.
        """
        return any(test.over_images and (test.p is None or test.p > level) for test in self.tests)

    @property
    def claim(self) -> str:
        """The claim about the effect, such as ``> 0``."""
        sign = {"less": "<", "greater": ">", "two-sided": "≠"}[self.side]
        return f"{sign} {self.threshold:g}"


def build_components(
    study: ResolvedExperiment,
    contrast: Contrast,
    cells: dict[str, str],
    final: pd.DataFrame,
    excluded_seeds: frozenset[int],
) -> tuple[Component, ...]:
    """Return the components of a contrast, tested.

    Args:
        cells: Names of the compared variants, by their role in the contrast.
        final: The last epoch of every trial, one row each.
        excluded_seeds: Seeds to leave out.
    """
    if isinstance(contrast, Degradation):
        return _build_degradation(study, contrast, cells, final, excluded_seeds)
    return _build_difference(study, contrast, cells, final, excluded_seeds)


def _build_degradation(
    study: ResolvedExperiment,
    contrast: Degradation,
    cells: dict[str, str],
    final: pd.DataFrame,
    excluded_seeds: frozenset[int],
) -> tuple[Component, ...]:
    """Return three components: plain change > 0, residual change < margin, plain change - residual change > 0.

    A change is the training error of the deep network minus that of the shallow one.
    """
    margin, smallest = contrast.margin, contrast.smallest_effect or contrast.margin
    # Clean training error first, as in the tables.
    errors = {
        metric: {role: values_by_seed(final, name, metric, excluded_seeds) for role, name in cells.items()}
        for metric in reversed(TRAINING_ERRORS)
    }

    def test_in_all_errors(
        a: tuple[str, ...], b: tuple[str, ...], side: Side, threshold: float, opposite_threshold: float
    ) -> tuple[EffectTest, ...]:
        return tuple(
            compare_and_test(
                metric, _select(values, a), _select(values, b), side, threshold, opposite_threshold, study.data
            )
            for metric, values in errors.items()
        )

    plain = test_in_all_errors(("plain_deep",), ("plain_shallow",), "greater", 0.0, margin)
    residual = test_in_all_errors(("residual_deep",), ("residual_shallow",), "less", margin, margin)
    interaction = test_in_all_errors(
        ("plain_deep", "plain_shallow"), ("residual_deep", "residual_shallow"), "greater", 0.0, 0.0
    )
    depths = f"depth {contrast.deep} − depth {contrast.shallow}"
    return (
        Component("plain", f"plain, {depths}", "greater", 0.0, smallest, plain),
        Component("residual", f"residual, {depths}", "less", margin, margin, residual),
        Component("interaction", "plain change − residual change", "greater", 0.0, smallest, interaction),
    )


def _select(values: dict[str, dict[int, float]], roles: tuple[str, ...]) -> list[SeedValues]:
    return [values[role] for role in roles]


def _build_difference(
    study: ResolvedExperiment,
    contrast: Difference,
    cells: dict[str, str],
    final: pd.DataFrame,
    excluded_seeds: frozenset[int],
) -> tuple[Component, ...]:
    """Return one component: the metric of variant a minus that of variant b."""
    a, b = (values_by_seed(final, cells[role], contrast.metric, excluded_seeds) for role in ("a", "b"))
    test = compare_and_test(contrast.metric, [a], [b], contrast.side, 0.0, 0.0, study.data)
    label = f"{cells['a']} − {cells['b']}"
    return (Component("difference", label, contrast.side, 0.0, contrast.smallest_effect, (test,)),)
