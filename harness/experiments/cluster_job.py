"""Checks of a run that is a job on a cluster's job server, sent there by another machine."""

from __future__ import annotations

import os
import socket

from harness.errors import HarnessError
from harness.settings import Settings
from harness.tracking.mlflow_record.store.addresses import choose_tracking_uri, find_sqlite_file
from harness.version import source_version

JOB_VARIABLE = "DEPTHBENCH_SENT"
"""Environment variable with the name of the job. It is set only inside a job."""
SENDER_VARIABLE = "DEPTHBENCH_SENDER"
"""Environment variable with the sender's version of Depthbench, for a job that uses the cluster's own Depthbench."""


def is_cluster_job() -> bool:
    """Return whether this process is a job that another machine sent."""
    return bool(os.environ.get(JOB_VARIABLE))


def require_same_version() -> None:
    """Check that a job runs on the version of Depthbench that sent it; options may differ between versions.

    Raises:
        HarnessError: The versions differ.
    """
    sender = os.environ.get(SENDER_VARIABLE)
    if not sender:
        return
    installed = source_version()
    if sender != installed:
        raise HarnessError(
            f"the job was sent by Depthbench {sender}, but {socket.gethostname()} has {installed}",
            where="versions",
            remedy="Install the same version on both machines. Nothing was trained.",
        )


def require_lasting_storage(settings: Settings) -> None:
    """Check that a job keeps its record and its checkpoints outside its own folder, which the cluster deletes.

    Raises:
        HarnessError: The record or the checkpoints would lie in the job's folder.
    """
    if not is_cluster_job() or settings.home.is_absolute():
        return
    if find_sqlite_file(choose_tracking_uri(settings.tracking_uri, settings.home)) is not None:
        content, variable = "record", "MLFLOW_TRACKING_URI"
    elif settings.storage is None:
        content, variable = "checkpoints", "DEPTHBENCH_STORAGE"
    else:
        return
    raise HarnessError(
        f"the {content} would lie in the job's own folder, which the cluster deletes after the job",
        where=variable,
        remedy="Export MLFLOW_TRACKING_URI=http://... and DEPTHBENCH_STORAGE before `ray start` on every node, as "
        "cluster.yaml does. Or give --tracking-uri and --storage.",
    )
