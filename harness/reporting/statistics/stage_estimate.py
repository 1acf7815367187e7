"""Estimates of an effect after an experiment that may have stopped early.

An experiment that stops as soon as its test rejects stops too often at a chance high, so its plain mean lies too far
from the bound. The corrected estimate orders results as the stages do: a rejection at an earlier stage is more extreme
than any later result (stagewise ordering). Inverting the sign-flip test in this order gives a median-unbiased estimate
and an interval: for the true centre of symmetric differences, all assignments of signs are equally likely.

Sources: Fairbanks and Madsen 1982 (stagewise ordering); Hartigan 1969 (intervals from sign flips).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from harness.reporting.statistics.comparisons import Side
from harness.reporting.statistics.intervals import CONFIDENCE, Floats, estimate_mean
from harness.reporting.statistics.sign_flip_test import MAX_EXACT_PAIRS, RANDOM_FLIPS
from harness.reporting.statistics.stage_test import draw_signs, list_signs, stage_thresholds


@dataclass(frozen=True)
class StageEstimate:
    """An effect after one stage.

    Attributes:
        stage: Number of pairs up to the stage, lost ones included.
        n: Number of pairs without the lost ones.
        low: Lower end of the 95 % interval; None for one pair.
        high: Upper end of that interval.
        is_corrected: Whether point and interval are corrected for the chance to stop earlier. If not, they are naive:
            the mean and its t interval.
    """

    stage: int
    n: int
    effect: float
    low: float | None
    high: float | None
    is_corrected: bool


def estimate_naively(differences: ArrayLike, stages: Sequence[int]) -> list[StageEstimate]:
    """Return the mean with its t interval after each of ``stages`` that has been reached and has a pair.

    Args:
        differences: Paired differences (n,) in the declared order of seeds. NaN stands for a pair that was lost.
    """
    values, estimates = np.asarray(differences, dtype=np.float64), []
    for stage in (stage for stage in stages if stage <= values.size):
        pairs = values[:stage][np.isfinite(values[:stage])]
        if pairs.size:
            mean = estimate_mean(pairs)
            estimates.append(StageEstimate(stage, mean.n, mean.mean, mean.low, mean.high, False))
    return estimates


def estimate_at_stop(
    differences: ArrayLike, side: Side, shift: float, stages: Sequence[int], spent: Sequence[float]
) -> StageEstimate | None:
    """Return the effect after the last of ``stages`` that ``differences`` reach; None where there is no pair.

    It is corrected if this test decides when the experiment stops. The estimate is naive with only one declared stage,
    with two sides, and where the test rejected before the last stage: the experiment went on because of another test.

    Args:
        differences: Paired differences (n,) up to the stage that stopped the experiment. NaN stands for a lost pair.
        side: Side of ``shift`` on which a rejection stops the experiment.
        spent: Level spent up to each stage.
    """
    values = np.asarray(differences, dtype=np.float64)
    reached = [stage for stage in stages if stage <= values.size]
    naive = estimate_naively(values, reached[-1:])
    if not naive:
        return None
    if len(stages) == 1 or side == "two-sided" or naive[0].n < 2:
        return naive[0]
    thresholds = stage_thresholds(values, side, shift, stages, spent)[: len(reached) - 1]
    sign = -1.0 if side == "less" else 1.0
    x = sign * (values[: reached[-1]] - shift)
    if any(np.nansum(x[:n]) > threshold for n, threshold in zip(reached, thresholds, strict=False)):
        return naive[0]
    low, middle, high = _invert(x, dict(zip(reached, thresholds, strict=False)))
    ends = sorted(shift + sign * end for end in (low, high))
    return StageEstimate(reached[-1], naive[0].n, shift + sign * middle, ends[0], ends[1], True)


def _invert(x: Floats, thresholds: dict[int, float]) -> tuple[float, float, float]:
    """Return the lower end, the median-unbiased estimate and the upper end of the centre of ``x`` (n,).

    Flipping the pairs of a set F about a centre c changes the sum by 2 * (c * |F| - the sum over F). So each assignment
    is at least as extreme as the observed one if c is at least the mean over F, and would have stopped at an earlier
    stage if c is at least another linear bound. The smallest of these bounds belongs to the assignment, and the
    quantiles over all assignments are the estimates.

    Args:
        x: Differences above the tested bound, NaN for lost pairs.
        thresholds: The sum above which each earlier stage stops, by stage.
    """
    is_lost = np.isnan(x)
    x = np.where(is_lost, 0.0, x)
    signs = list_signs(x.size) if x.size <= MAX_EXACT_PAIRS else draw_signs(x.size, RANDOM_FLIPS)
    flipped = np.where(is_lost[:, None], 0.0, (1.0 - signs) / 2)
    centre = np.full(signs.shape[1], np.inf)
    counts, sums = np.zeros(signs.shape[1]), np.zeros(signs.shape[1])
    for start, end in pairwise([0, *thresholds, x.size]):
        counts, sums = counts + flipped[start:end].sum(axis=0), sums + x[start:end] @ flipped[start:end]
        # The observed sum at the last stage needs no more than itself; at an earlier one it is below the threshold.
        missing = thresholds[end] - x[:end].sum() if end in thresholds else 0.0
        bound = np.divide(sums + missing / 2, counts, out=np.full(counts.shape, np.inf), where=counts > 0)
        centre = np.minimum(centre, bound)
    ordered = np.sort(centre[np.isfinite(centre)])
    # The observed assignment is as extreme as itself for every centre; it counts on both sides.
    tail = math.floor((1 - CONFIDENCE) / 2 * (ordered.size + 1) + 1e-9)
    low = -math.inf if tail == 0 else float(ordered[tail - 1])
    high = math.inf if tail == 0 else float(ordered[-tail])
    return low, float(np.median(ordered)), high
