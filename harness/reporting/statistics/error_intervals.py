"""The interval that a report shows beside an error: by Student's t over seeds, or exact over images.

Where all seeds have the same error, the t interval has no width. The exact binomial interval over the images replaces
it for errors on images that were not trained on. Memorised training images are no sample, so there is no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.reporting.statistics.intervals import CONFIDENCE, Estimate, estimate_mean
from harness.reporting.statistics.proportions import binomial_interval
from harness.reporting.statistics.seed_values import SeedValues
from harness.specs.experiment.data import DataInfo
from harness.tracking.metrics import TRAINING_ERRORS

SEEDS_FOR_INTERVALS = 5
"""Fewest seeds for which a report shows an interval."""


@dataclass(frozen=True)
class ErrorInterval:
    """A 95 % interval of one variant's error, in percent, cut at 0 and 100.

    Attributes:
        over_images: Whether it is the exact interval over images, because all seeds have the same error.
    """

    low: float
    high: float
    over_images: bool

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high


def count_images(metric: str, data: DataInfo) -> int:
    """Return the number of images that an error such as ``test/error`` is measured on."""
    return {"train": data.train, "val": data.val, "test": data.test}[metric.partition("/")[0]]


def select_error_interval(estimate: Estimate, metric: str, data: DataInfo) -> ErrorInterval | None:
    """Return the interval of a mean error that a report shows.

    None below 5 seeds, and for a training error that is the same in all seeds.
    """
    if estimate.n < SEEDS_FOR_INTERVALS or estimate.low is None or estimate.high is None:
        return None
    if estimate.has_no_spread:
        if metric in TRAINING_ERRORS:
            return None
        images = count_images(metric, data)
        return ErrorInterval(*binomial_interval(round(estimate.mean * images / 100), images), over_images=True)
    return ErrorInterval(max(estimate.low, 0.0), min(estimate.high, 100.0), over_images=False)


def interval_over_images(
    cells: Sequence[SeedValues], weights: Sequence[float], images: int
) -> tuple[float | None, float | None]:
    """Return an interval over images of a weighted sum of errors, in percentage points.

    In each of ``cells`` all seeds must have the same error, or the ends are None: no single count of wrong images
    stands for a cell with spread. The exact intervals of the cells share the error probability equally and are added
    up, so the sum covers at least as often as stated.

    Args:
        cells: Errors by seed of each variant in the sum.
        images: Number of images that each error is measured on.
    """
    confidence, low, high = 1 - (1 - CONFIDENCE) / len(cells), 0.0, 0.0
    for values, weight in zip(cells, weights, strict=True):
        estimate = estimate_mean(list(values.values()))
        if not math.isclose(estimate.min, estimate.max, rel_tol=1e-12, abs_tol=1e-12):
            return None, None
        ends = [weight * x for x in binomial_interval(round(estimate.mean * images / 100), images, confidence)]
        low, high = low + min(ends), high + max(ends)
    return low, high
