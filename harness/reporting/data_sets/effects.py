"""The effects of one contrast on several data sets, and their mean over data sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.reporting.data_sets.verdicts import DataSetVerdicts
from harness.reporting.formatting import format_interval
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS, count_images
from harness.reporting.statistics.random_effects import RandomEffects, estimate_random_effects
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import EffectTest
from harness.specs.experiment.data import DataInfo
from harness.tracking.metrics import EVALUATED_ERRORS

WIDEST = 200.0
"""Width in percentage points from which on an interval of an error says nothing."""
UNKNOWN = "not known"


def format_ends(metric: str, low: float, high: float) -> str:
    """Return an interval over data sets as text; ``not known`` where it is wider than the scale of an error."""
    is_error = metric in EVALUATED_ERRORS
    return UNKNOWN if is_error and high - low >= WIDEST else format_interval(low, high, sign=True)


@dataclass(frozen=True)
class EffectOverData:
    """One effect in one metric on every data set, with its mean over data sets.

    Attributes:
        metric: Key of the metric.
        tests: Estimate and tests on each data set, by its name.
        mean: The mean over data sets; None where a data set has fewer than 5 pairs or no standard error.
    """

    metric: str
    tests: dict[str, EffectTest]
    mean: RandomEffects | None


@dataclass(frozen=True)
class ComponentOverData:
    """One component of a contrast on every data set.

    Attributes:
        components: The component on each data set, by its name.
        effects: Its effect in each metric.
    """

    components: dict[str, Component]
    effects: tuple[EffectOverData, ...]

    @property
    def label(self) -> str:
        """The effect in words, as in the reports on one data set."""
        return next(iter(self.components.values())).label

    def count_claimed(self) -> int:
        """Return the number of data sets on which a claimed outcome is reached."""
        reached = [component.reached_outcome for component in self.components.values()]
        return sum(result is not None and result.outcome.role == "supports" for result in reached)


def build_components_over_data(several: DataSetVerdicts, infos: Mapping[str, DataInfo]) -> list[ComponentOverData]:
    """Return the components of a contrast over its data sets.

    Args:
        infos: Facts about each data set, by its name.
    """
    by_data_set = {
        title: {component.name: component for component in verdict.components}
        for title, verdict in several.verdicts.items()
    }
    first, *others = by_data_set.values()
    return [
        _build_component({title: own[name] for title, own in by_data_set.items()}, infos)
        for name in first
        if all(name in other for other in others)
    ]


def _build_component(components: dict[str, Component], infos: Mapping[str, DataInfo]) -> ComponentOverData:
    first = next(iter(components.values()))
    effects = []
    for test in first.tests:
        tests = {
            name: next(other for other in component.tests if other.metric == test.metric)
            for name, component in components.items()
        }
        effects.append(EffectOverData(test.metric, tests, _estimate_mean(tests, infos)))
    return ComponentOverData(components, tuple(effects))


def _estimate_mean(tests: Mapping[str, EffectTest], infos: Mapping[str, DataInfo]) -> RandomEffects | None:
    effects, errors = [], []
    for name, test in tests.items():
        error = find_standard_error(test, infos[name])
        if test.effect is None or error is None:
            return None
        effects.append(test.effect)
        errors.append(error)
    return estimate_random_effects(effects, errors)


def find_standard_error(test: EffectTest, data: DataInfo) -> float | None:
    """Return the standard error of an effect over seeds; None below 5 pairs, and where it is not known.

    An error is a number of images. So its standard error is never less than one image over the root of n: seeds that
    all agree do not make an effect exact.
    """
    if test.comparison is None or test.comparison.sd is None or test.n < SEEDS_FOR_INTERVALS:
        return None
    images = count_images(test.metric, data) if test.metric in EVALUATED_ERRORS else 0
    one_image = 100 / images if images else 0.0
    return max(test.comparison.sd, one_image) / math.sqrt(test.n) or None
