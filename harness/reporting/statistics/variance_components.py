"""Variance components of a crossed design: how much each source of randomness moves a result.

The model of a block of L² runs in an orthogonal array is y = mean + sum over sources of a(level) + residual, where all
terms are independent with mean zero. In such an array each two sources meet in every pair of levels once, so an
interaction of two of them adds an independent term to each run: it is part of the residual. Training is repeatable
given all seeds, so the residual is what sources do together, and what no source of the design explains.

Estimates are those of the method of moments from the analysis of variance (Searle, Casella and McCulloch 1992,
chapter 4): E[MS of a source] = residual + L * component. A component below zero counts as zero. Intervals are those of
Ting, Burdick, Graybill, Jeyaratnam and Lu 1990 (Burdick and Graybill 1992, section 3.3) for the difference of two mean
squares. They assume normal effects; their coverage is simulated in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from harness.reporting.statistics.intervals import CONFIDENCE, Floats

Levels = NDArray[np.int64]
TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True)
class Component:
    """A standard deviation with its 95 % interval, and its share of the variance of a single run (0 to 1).

    The share is None where nothing varies.
    """

    sd: float
    low: float
    high: float
    share: float | None


@dataclass(frozen=True)
class VarianceComponents:
    """The analysis of variance of one result over complete blocks of a crossed design.

    Attributes:
        sources: By source, in the order of the design.
        residual: What no source explains alone.
        total: Standard deviation of a run in which all sources vary, from the components.
        mean: Mean over all runs, with a 95 % interval (low, high) that takes into account that runs share levels.
        runs: Number of runs.
        freedom: Degrees of freedom of each source, and of the residual.
    """

    sources: tuple[Component, ...]
    residual: Component
    total: float
    mean: float
    low: float
    high: float
    runs: int
    freedom: tuple[int, int]


def estimate_components(values: Floats, levels: Levels) -> VarianceComponents:
    """Return the variance components of a result.

    Args:
        values: (blocks, L²) results, finite.
        levels: (L², sources) level of each source in each run of a block, from 0; an orthogonal array.
    """
    blocks, runs = values.shape
    size = round(sqrt(runs))
    centred = values - values.mean(1, keepdims=True)
    squares = [size * _mean_by_level(centred, column, size) ** 2 for column in levels.T]
    source_freedom = blocks * (size - 1)
    freedom = blocks * (runs - 1) - len(squares) * source_freedom
    source_squares = [float(square.sum()) for square in squares]
    mean_squares = [square / source_freedom for square in source_squares]
    # Rounding can leave a sum of squares just below zero.
    residual = max(float((centred**2).sum()) - sum(source_squares), 0.0) / freedom
    components = [max(square - residual, 0.0) / size for square in mean_squares]
    total = sum(components) + residual
    intervals = [_component_interval(square, residual, source_freedom, freedom) for square in mean_squares]
    low, high = (residual * factor for factor in _residual_factors(freedom))

    def component(variance: float, low: float, high: float) -> Component:
        share = variance / total if total > 0 else None
        return Component(sqrt(variance), sqrt(max(low, 0.0)), sqrt(max(high, 0.0)), share)

    mean, half_width = float(values.mean()), _half_width_of_mean(mean_squares, residual, source_freedom, freedom)
    half_width /= sqrt(values.size)
    return VarianceComponents(
        tuple(
            component(variance, low / size, high / size)
            for variance, (low, high) in zip(components, intervals, strict=True)
        ),
        component(residual, low, high),
        sqrt(total),
        mean,
        mean - half_width,
        mean + half_width,
        values.size,
        (source_freedom, freedom),
    )


@lru_cache
def _residual_factors(freedom: int) -> tuple[float, float]:
    """Return the factors on a mean square that give the 95 % interval of its expectation."""
    return float(freedom / stats.chi2.isf(TAIL, freedom)), float(freedom / stats.chi2.ppf(TAIL, freedom))


def _mean_by_level(values: Floats, column: Levels, size: int) -> Floats:
    """Return the mean over the runs of each level: (blocks, L²) -> (blocks, L)."""
    return np.stack([values[:, column == level].mean(1) for level in range(size)], axis=1)


def _component_interval(square: float, residual: float, n1: int, n2: int) -> tuple[float, float]:
    """Return the interval of :func:`difference_interval`, with an upper end that bad luck does not make too small.

    A source's mean square below that of the residual is chance. The upper end is then that of equal mean squares:
    otherwise it could be zero, as if the source were known to have no effect.
    """
    low, _ = difference_interval(square, residual, n1, n2)
    _, high = difference_interval(max(square, residual), residual, n1, n2)
    return low, high


def difference_interval(first: float, second: float, n1: int, n2: int) -> tuple[float, float]:
    """Return a 95 % interval for the difference of the expectations of two independent mean squares.

    Source: Burdick and Graybill 1992, section 3.3, after Ting et al. 1990. An end may be below zero.

    Args:
        first: Mean square that is expected to be larger, with ``n1`` degrees of freedom.
        second: The other, with ``n2``.
    """
    g1, h2, g12, h1, g2, h12 = _interval_factors(n1, n2)
    below = (g1 * first) ** 2 + (h2 * second) ** 2 + g12 * first * second
    above = (h1 * first) ** 2 + (g2 * second) ** 2 + h12 * first * second
    return first - second - sqrt(max(below, 0.0)), first - second + sqrt(max(above, 0.0))


@lru_cache
def _interval_factors(n1: int, n2: int) -> tuple[float, ...]:
    """Return G1, H2 and G12 of the lower end, then H1, G2 and H12 of the upper end, under the names of the source."""
    g1 = 1 - n1 / stats.chi2.isf(TAIL, n1)
    h2 = n2 / stats.chi2.ppf(TAIL, n2) - 1
    f = stats.f.isf(TAIL, n1, n2)
    g12 = ((f - 1) ** 2 - g1**2 * f**2 - h2**2) / f
    h1 = n1 / stats.chi2.ppf(TAIL, n1) - 1
    g2 = 1 - n2 / stats.chi2.isf(TAIL, n2)
    f = stats.f.ppf(TAIL, n1, n2)
    h12 = ((1 - f) ** 2 - h1**2 * f**2 - g2**2) / f
    return tuple(map(float, (g1, h2, g12, h1, g2, h12)))


def _half_width_of_mean(mean_squares: Sequence[float], residual: float, n1: int, n2: int) -> float:
    """Return the half width of the 95 % t interval of the mean, times the square root of the number of runs.

    The variance of the mean, times the runs, is the sum of the sources' mean squares less all but one of the residual.
    Its degrees of freedom are those of Satterthwaite 1946.
    """
    surplus = (len(mean_squares) - 1) * residual
    variance = max(sum(mean_squares) - surplus, residual)
    if variance == 0:
        return 0.0
    spread = sum(square**2 for square in mean_squares) / n1 + surplus**2 / n2
    freedom = max(variance**2 / spread, 1.0)
    # scipy's own t.isf takes thirty times as long.
    return float(special.stdtrit(freedom, 1 - TAIL)) * sqrt(variance)
