"""Ratios of the step times of two networks, whose processes take turns on one device, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import fmean, median

from harness.costs.complexity import compute_static_costs
from harness.errors import HarnessError
from harness.launchers.base import Notify
from harness.launchers.benchmark import RunRequests, measure_rows
from harness.specs.matching.match_costs import MeasuredRatio
from harness.specs.measured_cost import CostSetting, MeasuredCost
from harness.specs.network.any_variant import AnyVariant

CONFIDENCE = 0.95


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


def to_ratios(rows: Sequence[MeasuredCost]) -> list[MeasuredRatio]:
    """Return each network's training step, divided by that of the first row; processes of one round are pairs.

    Raises:
        HarnessError: A network cannot be trained on the batch.
    """
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
    ratios = [_pair_ratio(a, b) for a, b in zip(_turns(row), _turns(to), strict=True)]
    low, high = median_interval(ratios)
    parts = [str(row.conditions[key]) for key in ("device", "precision", "memory_format") if row.conditions.get(key)]
    parts += [f"batch {row.batch}", f"{len(ratios)} pair{'s' * (len(ratios) > 1)} of processes in turns"]
    if busy := row.busy or to.busy:
        parts.append(f"not exclusive ({busy})")
    return MeasuredRatio(row.variant, median(ratios), low, high, _mean_step(row), _mean_step(to), ", ".join(parts))


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the interval of a median by the order of the values: at least 95 % with six values or more.

    It assumes no distribution, and a few values that a burst of other work has spoiled do not change it. With fewer
    than six values, no such interval exists, and the range is returned.

    Source: Hollander, Wolfe and Chicken 2014, section 3.6.
    """
    n, ordered = len(values), sorted(values)
    end = 0
    # The median lies outside of the values number k and n - 1 - k if k or fewer values are on one of its sides.
    while 2 * sum(comb(n, k) for k in range(end + 2)) <= (1 - CONFIDENCE) * 2**n:
        end += 1
    return ordered[end], ordered[n - 1 - end]


def _mean_step(row: MeasuredCost) -> float:
    return fmean(median(step for turn in turns for step in turn) for turns in _turns(row))


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
