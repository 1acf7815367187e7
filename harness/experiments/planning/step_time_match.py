"""The search for a network with an equal step time: candidates are measured in turns with the network to match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt
from statistics import fmean, median, stdev

from harness.costs.complexity import compute_static_costs
from harness.errors import HarnessError
from harness.launchers.base import Notify
from harness.launchers.benchmark import RunRequests, measure_rows
from harness.specs.identity import canonical
from harness.specs.matching.ladder import Ladder, changed_fields
from harness.specs.matching.match import TOLERANCE
from harness.specs.matching.match_costs import MeasuredRatio
from harness.specs.measured_cost import FEWEST_REPEATS, CostSetting, MeasuredCost
from harness.specs.network.any_variant import AnyVariant

SPREAD = (0.7, 0.85, 1.0, 1.2, 1.4)
"""Scales, relative to the first guess, of the networks that are measured first."""
NEAREST, FINALISTS = 6, 2
"""Networks near the equal time that are measured once, and those of them that are measured with all repeats."""
MOST_ROUNDS = 4
TRIES_WHEN_BUSY = 3
"""So often a measurement that counts is made, if other processes used the device."""
PROBE_SECONDS, FINAL_SECONDS = 0.5, 1.0
"""Time of each phase of a process, in rounds that only narrow the search and in the one that counts."""

Measure = Callable[[Sequence[AnyVariant], int, float], list[MeasuredCost]]
"""Measures networks in turns: (networks, repeats, seconds) to rows in the same order."""


@dataclass(frozen=True)
class StepTimeSearch:
    """One search for the network of a ladder whose training step takes as long as that of another network.

    Attributes:
        measure: Measures networks in turns.
        require_exclusive: Whether to refuse times of a device that other processes used.
    """

    ladder: Ladder
    to: AnyVariant
    measure: Measure
    require_exclusive: bool = True

    def find(self, start: float) -> list[MeasuredRatio]:
        """Return networks with all repeats measured, the nearest to an equal time first.

        Times are not quite smooth in the size of a network, because kernels prefer some numbers of channels. So at the
        scale of the expected equal time several neighbours are measured, and the best of them again.

        Args:
            start: The scale at which the search begins.

        Raises:
            HarnessError: A network cannot be measured here, or other processes used the device.
        """
        # One small measurement shows whether the long ones make sense.
        self._measure_exclusively([], 1, PROBE_SECONDS)
        scale, seen = start, dict[str, MeasuredRatio]()
        finals: list[MeasuredRatio] = []
        for _ in range(MOST_ROUNDS):
            probes = self._compare(self._spread(scale), 1, PROBE_SECONDS)
            scale = _interpolate([(self.ladder.scale_of(probe.variant), probe.ratio) for probe in probes])
            scale = min(max(scale, self.ladder.lowest), self.ladder.highest)
            near = self._compare(self.ladder.around(scale, NEAREST), 1, PROBE_SECONDS)
            best = [
                each.variant for each in sorted(near, key=lambda each: each.distance) if self._key(each) not in seen
            ]
            if not best:
                break
            measured = self._measure_exclusively(best[:FINALISTS], FEWEST_REPEATS, FINAL_SECONDS)
            seen |= {self._key(each): each for each in measured}
            finals = sorted(seen.values(), key=lambda each: each.distance)
            if abs(finals[0].ratio - 1) <= TOLERANCE:
                break
        return finals

    def _key(self, each: MeasuredRatio) -> str:
        return canonical(changed_fields(self.ladder.base, each.variant))

    def _spread(self, scale: float) -> list[AnyVariant]:
        """Return distinct networks around a scale."""
        networks = [
            self.ladder.at(min(max(factor * scale, self.ladder.lowest), self.ladder.highest)) for factor in SPREAD
        ]
        distinct = {canonical(changed_fields(self.ladder.base, network)): network for network in networks}
        return list(distinct.values())

    def _measure_exclusively(self, networks: Sequence[AnyVariant], repeats: int, seconds: float) -> list[MeasuredRatio]:
        """Measure networks in turns with ``to``; again if other processes used the device.

        Raises:
            HarnessError: Other processes used the device each time.
        """
        busy = ""
        for _ in range(TRIES_WHEN_BUSY):
            rows = self.measure([self.to, *networks], repeats, seconds)
            busy = next((row.busy for row in rows if row.busy), "")
            if not busy or not self.require_exclusive:
                return _to_ratios(rows)
        raise HarnessError(
            f"the step times cannot be measured, because the device was not exclusive ({busy})",
            where="match.by",
            remedy="Stop the other programs and repeat the command, or match by macs or params, which are counted.",
        )

    def _compare(self, networks: Sequence[AnyVariant], repeats: int, seconds: float) -> list[MeasuredRatio]:
        return _to_ratios(self.measure([self.to, *networks], repeats, seconds))


def _interpolate(points: Sequence[tuple[float, float]]) -> float:
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


def _to_ratios(rows: Sequence[MeasuredCost]) -> list[MeasuredRatio]:
    """Return each network's training step, divided by that of the first row; processes of one round are pairs."""
    to, *others = rows
    return [_to_ratio(to, row) for row in others]


def _to_ratio(to: MeasuredCost, row: MeasuredCost) -> MeasuredRatio:
    if to.fitted is not None or row.fitted is not None:
        small = row if row.fitted is not None else to
        raise HarnessError(
            f"a batch of {small.setting.batch} images of {small.variant.name} does not fit in memory",
            where="match.by",
            remedy="Use a smaller batch, or match by macs or params.",
        )
    logs = [log(_pair_ratio(a, b)) for a, b in zip(_turns(row), _turns(to), strict=True)]
    mean = fmean(logs)
    half = _t_quantile(len(logs)) * stdev(logs) / sqrt(len(logs)) if len(logs) > 1 else 0.0
    conditions = ", ".join(
        str(row.conditions[key]) for key in ("device", "precision", "memory_format") if row.conditions.get(key)
    )
    return MeasuredRatio(
        row.variant,
        exp(mean),
        exp(mean - half),
        exp(mean + half),
        fmean(median(step for turn in turns for step in turn) for turns in _turns(row)),
        fmean(median(step for turn in turns for step in turn) for turns in _turns(to)),
        f"{conditions}, batch {row.batch}, {len(logs)} processes each",
    )


def _turns(row: MeasuredCost) -> list[tuple[tuple[float, ...], ...]]:
    """Return the seconds of training steps, grouped by process and turn.

    Raises:
        HarnessError: The network cannot be trained on such a batch.
    """
    phases = [repeat.training for repeat in row.repeats]
    turns = [phase.turns for phase in phases if phase is not None]
    if len(turns) < len(phases):
        raise HarnessError(
            f"{row.variant.name} cannot be trained on batches of {row.batch}",
            where="match.by",
            remedy="Use a larger batch.",
        )
    return turns


def _pair_ratio(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> float:
    """Return the ratio of two processes: the median over turns, which a drift of the machine's speed cannot change."""
    if len(a) == len(b):
        return median(median(x) / median(y) for x, y in zip(a, b, strict=True))
    return median(s for turn in a for s in turn) / median(s for turn in b for s in turn)


def _t_quantile(n: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution for n values."""
    from scipy import stats

    return float(stats.t.ppf(0.975, n - 1))


def measure_in_turns(
    networks: Sequence[AnyVariant],
    setting: CostSetting,
    repeats: int,
    seconds: float,
    run_requests: RunRequests,
    notify: Notify,
) -> list[MeasuredCost]:
    """Measure networks in turns under one setting; return a row for each, in their order.

    Raises:
        HarnessError: A network cannot be measured here.
    """
    rows = []
    for number, network in enumerate(networks):
        costs = compute_static_costs(network, setting.size)
        rows.append(
            MeasuredCost(
                label=f"{network.name or 'network'} ({number})",
                variant=network,
                setting=setting,
                macs=costs.macs,
                training_bytes=12 * costs.params + 12 * costs.activations * setting.batch,
            )
        )
    *_, measured = measure_rows(rows, repeats, seconds, run_requests, notify)
    return measured
