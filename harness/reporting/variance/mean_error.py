"""The mean error of a variant with the interval that a report shows, by the unit that the seeds of its design have."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.reporting.statistics.error_intervals import ErrorInterval, select_error_interval
from harness.reporting.statistics.intervals import Estimate, estimate_mean
from harness.reporting.statistics.seed_values import list_seed_values
from harness.reporting.variance.analysis import analyse_variant
from harness.specs import ResolvedExperiment
from harness.specs.network.any_variant import AnyVariant


@dataclass(frozen=True)
class MeanError:
    """The last errors of one variant.

    Attributes:
        values: Errors in percent, by rising seed.
        estimate: Their mean and standard deviation.
        interval: The 95 % interval of the mean; None where none is shown.
    """

    values: list[float]
    estimate: Estimate
    interval: ErrorInterval | None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends of the interval."""
        return self.interval.ends if self.interval else None


def estimate_error(
    study: ResolvedExperiment, final: pd.DataFrame, variant: AnyVariant, metric: str
) -> MeanError | None:
    """Return the mean error of a variant with its interval; None where the error was not measured.

    Trials with seeds of their own are independent of each other, so the interval is Student's over them. Trials of a
    crossed design share seeds: the interval is that of :class:`VarianceComponents`, and there is none before every
    trial is recorded.

    Args:
        final: The last epoch of every trial, one row each.
    """
    values = list_seed_values(final, variant, metric)
    if not values:
        return None
    estimate, design = estimate_mean(values), study.experiment.variance
    if design is None or estimate.has_no_spread:
        return MeanError(values, estimate, select_error_interval(estimate, metric, study.data))
    found = analyse_variant(design, final, variant.name, metric)
    if found is None or found.runs < design.runs:
        return MeanError(values, estimate, None)
    ends = max(found.low, 0.0), min(found.high, 100.0)
    return MeanError(values, estimate, ErrorInterval(*ends, over_images=False))
