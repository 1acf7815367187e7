"""The sign-flip test in stages: it may reject after each stage, and all stages together keep one level.

The pairs arrive in a declared order of seeds. Let x be their differences from the tested bound. If x is symmetric
about 0, every assignment of signs to |x_1|, ..., |x_n| is equally likely. At each stage the test takes all assignments,
removes those that it rejected at earlier stages, and rejects the most extreme of the others, as long as the share of
all rejected ones is at most the level spent so far. A fixed design is the test with one stage.

Sources: Lan and DeMets 1983 (spending of the level, here their function of Pocock's type); Fisher 1935, section 21
(sign flips). Errors are multiples of one image, so sums can tie: tied assignments are rejected together or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.reporting.statistics.comparisons import Side
from harness.reporting.statistics.intervals import Floats
from harness.reporting.statistics.sign_flip_test import MAX_EXACT_PAIRS, RANDOM_FLIPS

_CHUNK = 2**22
"""Most sums that are held in memory at once."""


def spent_level(level: float, n: int, most: int) -> float:
    """Return the level that all stages up to ``n`` of ``most`` pairs may spend together (Lan and DeMets 1983)."""
    return level * math.log(1 + (math.e - 1) * min(n / most, 1.0))


def spent_levels(level: float, stages: Sequence[int]) -> tuple[float, ...]:
    """Return the level spent up to each of ``stages``, numbers of pairs that rise; the last is the most."""
    return tuple(spent_level(level, n, stages[-1]) for n in stages)


@dataclass(frozen=True)
class StageResults:
    """Results of the test in stages for one or many experiments; each array has their shape.

    Attributes:
        stage: First stage that rejects, as a number of pairs; 0 where none does.
        p: p at that stage, or at the last one that was reached: the share of assignments that are rejected earlier, or
            not earlier and at least as extreme as the observed one. It is at most the level spent there if and only if
            that stage rejects. With one stage it is p of the sign-flip test. 1 where no stage was reached.
    """

    stage: NDArray[np.int64]
    p: Floats


def first_rejection(
    differences: ArrayLike, side: Side, shift: float, stages: Sequence[int], spent: Sequence[float]
) -> int | None:
    """Return the first of ``stages`` at which the test rejects, or None; see :func:`run_stage_tests`."""
    results = run_stage_tests(np.asarray(differences, dtype=np.float64), side, shift, stages, spent)
    return int(results.stage) or None


def run_stage_tests(
    differences: Floats,
    side: Side,
    shift: float,
    stages: Sequence[int],
    spent: Sequence[float],
    exact_pairs: int = MAX_EXACT_PAIRS,
    flips: int = RANDOM_FLIPS,
) -> StageResults:
    """Return the results of the test along the last axis of ``differences`` (..., n).

    The result of a stage depends on the pairs, stages and levels up to it alone, so a later call with more pairs
    repeats it. Stages with more pairs than there are differences have not been reached, and are not tested.

    Args:
        differences: Paired differences in the declared order of seeds. NaN stands for a pair that was lost.
        side: The claim is that the differences lie on this side of ``shift``.
        stages: Numbers of pairs, lost ones included, that rise.
        spent: Level spent up to each stage; it must not fall.
        exact_pairs: Most pairs for which all assignments of signs are enumerated.
        flips: Assignments drawn from a fixed seed for more pairs, besides the observed one. Any number keeps the level.

    Raises:
        ValueError: ``stages`` do not rise, or ``spent`` has another length or falls.
    """
    _require_rising(stages, spent)
    x = np.nan_to_num(differences - shift, nan=0.0)  # A difference of 0 adds nothing to any sum, so shares stay equal.
    x = -x if side == "less" else x
    rows = x.reshape(-1, x.shape[-1])
    reached = [(n, level) for n, level in zip(stages, spent, strict=True) if n <= x.shape[-1]]
    stage, p = np.zeros(len(rows), dtype=np.int64), np.ones(len(rows))
    largest = max(
        [2**n for n, _ in reached if n <= exact_pairs] + [flips + 1 for n, _ in reached if n > exact_pairs] + [1]
    )
    step = max(1, _CHUNK // largest)
    for start in range(0, len(rows), step):
        chunk = slice(start, start + step)
        stage[chunk], p[chunk], _ = _test_rows(rows[chunk], side == "two-sided", reached, exact_pairs, flips)
    return StageResults(stage.reshape(x.shape[:-1]), p.reshape(x.shape[:-1]))


def stage_thresholds(
    differences: Floats, side: Side, shift: float, stages: Sequence[int], spent: Sequence[float]
) -> list[float]:
    """Return, for each reached stage, the sum of ``differences`` (n,) beyond ``shift`` above which it rejects.

    The sum is taken in the direction of ``side``, over the pairs that were not lost.
    """
    _require_rising(stages, spent)
    x = np.nan_to_num(differences - shift, nan=0.0)
    reached = [(n, level) for n, level in zip(stages, spent, strict=True) if n <= x.size]
    rows = (-x if side == "less" else x)[None, :]
    thresholds = _test_rows(rows, side == "two-sided", reached, MAX_EXACT_PAIRS, RANDOM_FLIPS)[2]
    return [float(threshold[0]) for threshold in thresholds]


def _require_rising(stages: Sequence[int], spent: Sequence[float]) -> None:
    if list(stages) != sorted(set(stages)) or len(spent) != len(stages) or list(spent) != sorted(spent):
        raise ValueError("stages must rise, and each needs a spent level that does not fall")


def _test_rows(
    x: Floats, two_sided: bool, stages: Sequence[tuple[int, float]], exact_pairs: int, flips: int
) -> tuple[NDArray[np.int64], Floats, list[Floats]]:
    """Return the first stage that rejects and p, for each of the rows ``x`` (rows, n) tested above 0, and thresholds.

    A threshold is the largest statistic (rows,) that a stage does not reject.
    """
    result, p = np.zeros(len(x), dtype=np.int64), np.ones(len(x))
    thresholds: list[Floats] = []
    assignments = _Assignments(x, two_sided)
    for index, (n, level) in enumerate(stages):
        if n > exact_pairs and assignments.flips is None:
            assignments = _Assignments(x, two_sided, flips)
            for (earlier, _), threshold in zip(stages[:index], thresholds, strict=True):
                assignments.extend(earlier)
                assignments.reject(threshold)
        assignments.extend(n)
        statistics = np.where(assignments.rejected, np.inf, assignments.statistics)
        rounding = 1e-9 * np.abs(x[:, :n]).sum(axis=1)
        observed = x[:, :n].sum(axis=1)
        observed = np.abs(observed) if two_sided else observed
        is_open, size = result == 0, statistics.shape[1]
        p = np.where(is_open, (statistics >= (observed - rounding)[:, None]).sum(axis=1) / size, p)
        threshold = _largest_kept(statistics, math.floor(level * size + 1e-9)) + rounding
        result[is_open & (observed > threshold)] = n
        assignments.reject(threshold)
        thresholds.append(threshold)
    return result, p, thresholds


class _Assignments:
    """The sums of the first pairs of ``x`` (rows, n) under many assignments of signs, one assignment per column.

    Attributes:
        flips: Number of drawn assignments, besides the observed one; None if all are enumerated.
        sums: Sums (rows, assignments) of the pairs up to now.
        rejected: Whether an earlier stage rejected them (rows, assignments).
    """

    def __init__(self, x: Floats, two_sided: bool, flips: int | None = None) -> None:
        self.x, self.two_sided, self.flips, self.pairs = x, two_sided, flips, 0
        self.sums = np.zeros((len(x), 1 if flips is None else flips + 1))
        self.rejected = np.zeros(self.sums.shape, dtype=bool)

    @property
    def statistics(self) -> Floats:
        """The tested statistics (rows, assignments)."""
        return np.abs(self.sums) if self.two_sided else self.sums

    def extend(self, pairs: int) -> None:
        """Add the pairs up to number ``pairs``."""
        new = self.x[:, self.pairs : pairs]
        self.pairs = pairs
        if self.flips is not None:
            signs = draw_signs(pairs, self.flips)[pairs - new.shape[1] :]
            self.sums[:, :1] += new.sum(axis=1, keepdims=True)
            self.sums[:, 1:] += new @ signs
            return
        for value in np.abs(new).T[:, :, None]:
            self.sums = np.concatenate([self.sums + value, self.sums - value], axis=1)
        self.rejected = np.tile(self.rejected, 2 ** new.shape[1])

    def reject(self, threshold: Floats) -> None:
        """Mark the assignments whose statistic is above ``threshold`` (rows,)."""
        self.rejected |= self.statistics > threshold[:, None]


def _largest_kept(statistics: Floats, rejected: int) -> Floats:
    """Return per row the largest value that stays if the ``rejected`` largest are taken away; -inf if none stays."""
    place = statistics.shape[1] - 1 - rejected
    return np.partition(statistics, place, axis=1)[:, place] if place >= 0 else np.full(len(statistics), -np.inf)


def list_signs(pairs: int) -> Floats:
    """Return all assignments of signs to ``pairs`` pairs, of shape (pairs, 2^pairs)."""
    bits = np.arange(2**pairs)[None, :] >> np.arange(pairs)[:, None]
    return np.asarray(1.0 - 2.0 * (bits & 1), dtype=np.float64)


def draw_signs(pairs: int, flips: int) -> Floats:
    """Return the drawn assignments of signs to ``pairs`` pairs, of shape (pairs, flips), from a fixed seed.

    The signs of a pair do not depend on the number of pairs, so that stages draw the same assignments.
    """
    return np.stack([_draw_signs_of_pair(index, flips) for index in range(pairs)]).astype(np.float64)


@lru_cache(maxsize=1024)
def _draw_signs_of_pair(index: int, flips: int) -> NDArray[np.int8]:
    signs = np.random.default_rng([15, index]).integers(0, 2, flips, dtype=np.int8) * 2 - 1
    return np.asarray(signs, dtype=np.int8)
