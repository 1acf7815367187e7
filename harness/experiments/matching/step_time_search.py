"""The search for a network with an equal step time: candidates are measured in turns with the network to match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

from harness.experiments.matching.step_time_ratio import to_ratios
from harness.specs.identity import canonical
from harness.specs.matching.ladder import Ladder, changed_fields
from harness.specs.matching.match_costs import MeasuredRatio
from harness.specs.measured_cost import MeasuredCost
from harness.specs.network.any_variant import AnyVariant

SPREAD = (0.7, 0.85, 1.0, 1.2, 1.4)
"""Scales, relative to the first guess, of the networks that are measured first."""
NEAREST, PROBE_PAIRS = 6, 3
"""Networks near the equal time, and the pairs of processes that measure each network in rounds that only narrow the
search. With one pair, a burst of other work in the process of ``to`` would spoil all ratios of the round alike."""
FINALISTS, FINAL_PAIRS = 2, 9
"""The nearest of those, and the pairs of processes that measure each of them anew. Of nine ratios, the second and the
second last bound the median with 96 % confidence."""
MOST_ROUNDS = 3
PROBE_SECONDS, FINAL_SECONDS = 0.5, 1.0
"""Time of each phase of a process, in rounds that only narrow the search and in the one that counts."""

Measure = Callable[[Sequence[AnyVariant], int, float], list[MeasuredCost]]
"""Measures networks in turns: (networks, repeats, seconds) to rows in the same order."""


@dataclass(frozen=True)
class StepTimeSearch:
    """One search for the network of a ladder whose training step takes as long as that of another network.

    Attributes:
        measure: Measures networks in turns.
        tolerance: Largest relative difference of two times that count as equal.
    """

    ladder: Ladder
    to: AnyVariant
    measure: Measure
    tolerance: float

    def find(self, start: float) -> list[MeasuredRatio]:
        """Return the network to take first, then other networks near an equal time.

        Times are not smooth in the size of a network, because kernels prefer some numbers of channels. So at the scale
        of the expected equal time several neighbours are measured, and the nearest of them again. Only the new
        measurement counts: the first one of the nearest is too near to 1, because it was chosen for that. Of the
        networks within the tolerance, those whose interval contains 1 come first.

        Args:
            start: The scale at which the search begins.

        Raises:
            HarnessError: A network cannot be measured here.
        """
        finals: dict[str, MeasuredRatio] = {}
        near: dict[str, MeasuredRatio] = {}
        scale = start
        for _ in range(MOST_ROUNDS):
            probes = self._compare(self._spread(scale), PROBE_PAIRS, PROBE_SECONDS)
            scale = self._interpolate(probes)
            networks = self._distinct([*_select_bracket(probes), *self._around(scale)])
            measured = self._compare(networks, PROBE_PAIRS, PROBE_SECONDS)
            near |= {self._key(each.variant): each for each in measured}
            scale = self._interpolate([*probes, *measured])
            for candidate in self._select_candidates(near, finals):
                (final,) = self._compare([candidate.variant], FINAL_PAIRS, FINAL_SECONDS)
                finals[self._key(final.variant)] = final
                if self._is_near(final) and final.has_equal_in_interval:
                    break
            if any(map(self._is_near, finals.values())):
                break
        others = [each for key, each in near.items() if key not in finals]
        return [*self._sort(finals.values()), *self._sort(others)]

    def _select_candidates(
        self, near: Mapping[str, MeasuredRatio], finals: Mapping[str, MeasuredRatio]
    ) -> list[MeasuredRatio]:
        """Return the networks to measure again: the nearest that may be within the tolerance, at least one at first."""
        candidates = sorted((each for key, each in near.items() if key not in finals), key=lambda each: each.distance)
        low, high = 1 - self.tolerance, 1 + self.tolerance
        possible = [each for each in candidates if each.low <= high and each.high >= low]
        return possible[:FINALISTS] or ([] if finals else candidates[:1])

    def _is_near(self, measured: MeasuredRatio) -> bool:
        return abs(measured.ratio - 1) <= self.tolerance

    def _sort(self, measured: Iterable[MeasuredRatio]) -> list[MeasuredRatio]:
        """Return networks, first those within the tolerance, of them those whose interval contains 1, then by ratio."""
        return sorted(
            measured, key=lambda each: (not self._is_near(each), not each.has_equal_in_interval, each.distance)
        )

    def _key(self, variant: AnyVariant) -> str:
        return canonical(changed_fields(self.ladder.base, variant))

    def _spread(self, scale: float) -> list[AnyVariant]:
        """Return distinct networks around a scale."""
        return self._distinct([self.ladder.at(self._clip(factor * scale)) for factor in SPREAD])

    def _around(self, scale: float) -> list[AnyVariant]:
        """Return the networks next to a scale; those without a change may have the faster kernels, so they are too."""
        return self._distinct([*self.ladder.around(scale, NEAREST), self.ladder.at(scale)])

    def _distinct(self, networks: Sequence[AnyVariant]) -> list[AnyVariant]:
        return list({self._key(network): network for network in networks}.values())

    def _compare(self, networks: Sequence[AnyVariant], pairs: int, seconds: float) -> list[MeasuredRatio]:
        return to_ratios(self.measure([self.to, *networks], pairs, seconds))

    def _interpolate(self, measured: Sequence[MeasuredRatio]) -> float:
        return self._clip(interpolate([(self.ladder.scale_of(each.variant), each.ratio) for each in measured]))

    def _clip(self, scale: float) -> float:
        return min(max(scale, self.ladder.lowest), self.ladder.highest)


def _select_bracket(measured: Sequence[MeasuredRatio]) -> list[AnyVariant]:
    """Return the nearest network on each side of an equal time, where there is one."""
    below, above = ([each for each in measured if (each.ratio < 1) == is_below] for is_below in (True, False))
    return [min(side, key=lambda each: each.distance).variant for side in (below, above) if side]


def interpolate(points: Sequence[tuple[float, float]]) -> float:
    """Return the scale of an equal time from (scale, ratio) of some networks, on logarithmic axes.

    Beyond the points it follows the line through the two outermost ones, at most by a factor of two.
    """
    logs = sorted((log(scale), log(ratio)) for scale, ratio in points)
    for (x0, y0), (x1, y1) in pairwise(logs):
        if (y0 <= 0) != (y1 <= 0):
            return exp(x0 - y0 * (x1 - x0) / (y1 - y0))
    (x0, y0), (x1, y1) = logs[0], logs[-1]
    slope = max((y1 - y0) / (x1 - x0), 0.5) if x1 > x0 else 1.0
    x, y = (x1, y1) if y1 < 0 else (x0, y0)
    return exp(x + max(min(-y / slope, log(2)), -log(2)))
