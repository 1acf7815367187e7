"""The options that have one name everywhere, and what follows from them."""

from __future__ import annotations

import os
import socket

from harness.errors import HarnessError
from harness.settings import Settings
from harness.specs import ResolvedExperiment


def local_concurrency(study: ResolvedExperiment, settings: Settings) -> int:
    """How many trials run at once: on this machine, or on the cluster of which it is known."""
    from harness.launchers.resources import available_cores

    if settings.launcher == "inline":
        return 1
    resources = study.experiment.resources
    if settings.at_once:
        return min(settings.at_once, resources.max_concurrent or settings.at_once)
    fits = max(available_cores() // (resources.cpus * resources.workers), 1)
    if resources.gpus:
        fits = min(fits, int(1 / resources.gpus))
    return min(fits, resources.max_concurrent or fits)


SENT = "DEPTHBENCH_SENT"
"""In the environment of a job on a cluster: how it is called there."""


SENDER = "DEPTHBENCH_SENDER"
"""In the same place: the Depthbench that sent it, where the job brings none of its own."""


def require_sender() -> None:
    """Refuse a job that another Depthbench sent: it may mean something else by the same words.

    Raises:
        HarnessError: It is so.
    """
    from harness.version import source_version

    if SENDER not in os.environ:
        return
    sender, here = os.environ[SENDER], source_version()
    if sender != here:
        raise HarnessError(
            f"Depthbench is {sender} where this was sent from and {here} on {socket.gethostname()}",
            where="versions",
            remedy="Install the same on both sides. Nothing was trained.",
        )


def require_lasting_storage(settings: Settings) -> None:
    """Refuse a job on a cluster whose record or checkpoints would lie in its own folder, which goes with it.

    Raises:
        HarnessError: They would.
    """
    from harness.tracking.mlflow_record.client import sqlite_file, tracking_uri

    if SENT not in os.environ:
        return
    file = sqlite_file(tracking_uri(settings.tracking_uri, settings.home))
    lost = "MLFLOW_TRACKING_URI" if file is not None and not settings.home.is_absolute() else ""
    lost = lost or ("DEPTHBENCH_STORAGE" if settings.storage is None and not settings.home.is_absolute() else "")
    if lost:
        raise HarnessError(
            f"the {'record' if lost.startswith('MLFLOW') else 'checkpoints'} would lie in the job's own folder, which "
            "goes with it",
            where=lost,
            remedy="Export MLFLOW_TRACKING_URI=http://... and DEPTHBENCH_STORAGE before `ray start` on every node, as "
            "cluster.yaml does; or give --tracking-uri and --storage.",
        )


def require_name(name: str) -> None:
    """Refuse what can not be a directory of the reports, a path in particular.

    Raises:
        HarnessError: It is so.
    """
    from pydantic import TypeAdapter, ValidationError

    from harness.specs.experiment.experiment import Name

    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise HarnessError(
            f"'{name[:60]}' is no name of a report",
            where="--name",
            remedy="Use lower-case letters, digits, dots, dashes and underscores.",
        ) from error
