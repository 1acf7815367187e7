"""The means over a variant's seeds, as metrics for its run in MLflow."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History

Row = tuple[str, float, int, int]
"""(key, value, timestamp in ms, step)."""


def mean_metrics(histories: Sequence[History]) -> Iterator[Row]:
    """The mean over seeds of every metric at each epoch; then single values: n, costs.

    Single values stand at step 0, where the UI draws bars instead of lines. Spread and interval of the last errors
    come with the report, which computes them (:meth:`harness.tracking.mlflow_record.writer.MlflowRecord.describe`).

    An epoch counts only where all seeds have it: a mean over the survivors of a divergence would flatter. A value
    that is not finite in one seed is left out as a mean, and seen in the trials.
    """
    at_epoch: dict[tuple[int, str], list[float | None]] = defaultdict(list)
    measured: dict[int, int] = {}
    for history in histories:
        for epoch in history.epochs:
            measured[epoch.epoch] = max(measured.get(epoch.epoch, 0), epoch.at)
            for key, value in epoch.metrics.items():
                at_epoch[epoch.epoch, key].append(value)
    for (epoch_number, key), values in sorted(at_epoch.items()):
        finite = [value for value in values if value is not None and math.isfinite(value)]
        if len(finite) == len(histories):
            yield key, fmean(finite), measured[epoch_number], epoch_number
    if not measured:
        return
    last = max(measured)
    yield "seeds/n", float(len(histories)), measured[last], 0
    yield "seeds/diverged", float(sum(h.outcome is TrialStatus.DIVERGED for h in histories)), measured[last], 0
    for key, cost in histories[0].costs.items():
        if not isinstance(cost, str):
            yield key, float(cost), measured[last], 0
