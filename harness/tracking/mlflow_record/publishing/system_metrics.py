"""MLflow's own sampling of CPU, memory and GPU use into a trial's run, which a user can switch on."""

from __future__ import annotations

import logging
from typing import Any

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.mlflow_record.run_creation import NewRun, find_or_create_run
from harness.tracking.mlflow_record.store.client import create_client
from harness.tracking.mlflow_record.trial_runs import RUN_STATUSES

SAMPLE_SECONDS = 5.0
"""Time between two samples, unless MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL sets it."""


def start_sampling(uri: str, run_id: str, new_run: NewRun | None = None, started: int = 0) -> Any:
    """Start to record system metrics in a run, and return the monitor; its method ``finish`` stops it.

    Args:
        run_id: The trial's run; empty if the trial has none yet.
        new_run: The run to create in that case.
        started: When the trial's first attempt began, in milliseconds since 1970.

    Raises:
        Exception: Whatever MLflow raises, for example where psutil is missing.
    """
    logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    # The monitor ends itself where the run is not RUNNING, and the run becomes so only with its first history.
    client = create_client(uri)
    if not run_id and new_run is not None:
        run_id = find_or_create_run(client, new_run, started).info.run_id
    client.update_run(run_id, status=RUN_STATUSES[TrialStatus.RUNNING])
    monitor = SystemMetricsMonitor(run_id, sampling_interval=SAMPLE_SECONDS, resume_logging=True, tracking_uri=uri)
    monitor.start()
    return monitor
