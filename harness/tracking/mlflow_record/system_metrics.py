"""MLflow's own sampler of the machine's load, on request."""

from __future__ import annotations

import logging
from typing import Any

from harness.tracking.mlflow_record.client import connect

SAMPLE_SECONDS = 5.0
"""Between two samples of the machine's load; MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL sets it otherwise."""


def start_sampling(uri: str, run_id: str) -> Any:
    """Sample into a run until :meth:`finish` of what is returned is called.

    Raises:
        Exception: Whatever MLflow raises, for one where psutil is missing.
    """
    logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    # It ends itself where the run is not under way, as a run is only once it has published something.
    connect(uri).update_run(run_id, status="RUNNING")
    monitor = SystemMetricsMonitor(run_id, sampling_interval=SAMPLE_SECONDS, resume_logging=True, tracking_uri=uri)
    monitor.start()
    return monitor
