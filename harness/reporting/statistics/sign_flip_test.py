"""The sign-flip permutation test of paired differences."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from harness.reporting.statistics.comparisons import Side
from harness.reporting.statistics.intervals import Floats, require_finite

MAX_EXACT_PAIRS = 20
"""Most pairs for which the test enumerates all assignments of signs (2^20 sums)."""
RANDOM_FLIPS = 100_000
"""Random assignments of signs that the test draws for more pairs."""
_BATCH = 10_000
"""Assignments that are drawn at once."""
_MOST_SUMS = 2**22
"""Most sums that are held in memory at once."""


def sign_flip_p_value(differences: ArrayLike, side: Side, shift: float = 0.0) -> float:
    """Return p of the test that ``differences`` (n,) are symmetric about ``shift``; see :func:`sign_flip_p_values`.

    Raises:
        ValueError: ``differences`` is empty, or one of them is not finite.
    """
    return _sign_flip_p_value(tuple(require_finite(differences).tolist()), side, shift)


@lru_cache(maxsize=4096)
def _sign_flip_p_value(differences: tuple[float, ...], side: Side, shift: float) -> float:
    # A report needs the p of a bound several times: for each level, with and without failed trials, and to show it.
    return float(sign_flip_p_values(np.array(differences), side, shift))


def sign_flip_p_values(differences: Floats, side: Side, shift: float = 0.0) -> Floats:
    """Return p of the sign-flip test along the last axis of ``differences`` (..., n).

    With ``side="less"`` and ``shift`` at a margin it is the test of non-inferiority. Up to 20 differences the test is
    exact over all 2^n signs. For more it draws 100,000 signs from a fixed seed and counts the observed ones among them.
    Sums that differ by rounding alone count as equal: errors are multiples of one image, so their sums can tie.

    Source: Fisher 1935, The Design of Experiments, section 21; Phipson and Smyth 2010 for counting the observed signs.
    """
    x = differences - shift
    if side == "less":
        x = -x
    rows = x.reshape(-1, x.shape[-1])
    step = max(1, _MOST_SUMS // (2 ** x.shape[-1] if x.shape[-1] <= MAX_EXACT_PAIRS else _BATCH))
    parts = [_share_extreme(rows[start : start + step], side == "two-sided") for start in range(0, len(rows), step)]
    return np.concatenate([np.zeros(0), *parts]).reshape(x.shape[:-1])


def _share_extreme(x: Floats, two_sided: bool) -> Floats:
    """Return the share of signs under which the sum of each of the rows ``x`` (rows, n) is at least as extreme."""
    n, observed = x.shape[-1], x.sum(axis=-1, keepdims=True)
    rounding = 1e-9 * np.abs(x).sum(axis=-1, keepdims=True)
    threshold = (np.abs(observed) if two_sided else observed) - rounding

    def count_extreme(sums: Floats) -> Any:
        return np.count_nonzero((np.abs(sums) if two_sided else sums) >= threshold, axis=-1)

    if n <= MAX_EXACT_PAIRS:
        sums = np.zeros_like(observed)
        for index in range(n):
            value = x[..., index : index + 1]
            sums = np.concatenate([sums + value, sums - value], axis=-1)
        return np.asarray(count_extreme(sums) / sums.shape[-1])
    generator = np.random.default_rng(0)
    extreme = 0
    for _ in range(RANDOM_FLIPS // _BATCH):
        extreme = extreme + count_extreme(x @ generator.choice([-1.0, 1.0], size=(_BATCH, n)).T)
    return np.asarray((extreme + 1) / (RANDOM_FLIPS + 1))
