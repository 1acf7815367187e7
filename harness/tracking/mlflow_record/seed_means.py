"""The means over a variant's seeds, as metrics for the variant's run in MLflow."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History
from harness.tracking.metrics import DIVERGED_SEEDS, MACS, PARAMETERS, RECORDED_SEEDS

MetricRow = tuple[str, float, int, int]
"""(key, value, timestamp in ms, step)."""


def _are_one_network(histories: Sequence[History]) -> bool:
    """Return whether all trials have the same number of parameters, and of MACs as one tool counts them."""
    counters = {(history.costs.get("counter"), history.costs.get(MACS)) for history in histories}
    parameters = {history.costs.get(PARAMETERS) for history in histories}
    return len(parameters) <= 1 and len(counters) == len({counter for counter, _ in counters})


def compute_seed_means(histories: Sequence[History]) -> Iterator[MetricRow]:
    """Yield the mean of every metric at each epoch, then single values: the number of seeds, and the costs.

    A mean is yielded only where the metric is finite in all seeds at that epoch: a mean over the seeds that survived
    a divergence would flatter the variant. Single values have step 0, for which the UI draws bars instead of lines.
    The spread of the last errors and their interval come with the report, which computes them
    (:meth:`harness.tracking.mlflow_record.writer.MlflowRecord.describe_variants`).
    """
    if not _are_one_network(histories):
        # The report refuses them with the cause.
        return
    values_at: dict[tuple[int, str], list[float | None]] = defaultdict(list)
    measured_at: dict[int, int] = {}
    for history in histories:
        for epoch in history.epochs:
            measured_at[epoch.epoch] = max(measured_at.get(epoch.epoch, 0), epoch.at)
            for key, value in epoch.metrics.items():
                values_at[epoch.epoch, key].append(value)
    for (number, key), values in sorted(values_at.items()):
        finite = [value for value in values if value is not None and math.isfinite(value)]
        if len(finite) == len(histories):
            yield key, fmean(finite), measured_at[number], number
    if not measured_at:
        return
    at = measured_at[max(measured_at)]
    diverged = sum(history.outcome is TrialStatus.DIVERGED for history in histories)
    yield RECORDED_SEEDS, float(len(histories)), at, 0
    yield DIVERGED_SEEDS, float(diverged), at, 0
    for key, cost in histories[0].costs.items():
        if not isinstance(cost, str):
            yield key, float(cost), at, 0
