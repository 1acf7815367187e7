"""The options that have one name everywhere, and what follows from them."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment

if TYPE_CHECKING:
    from harness.tracking import Record

REPORTS = Path("reports")


@dataclass(frozen=True)
class Settings:
    """Options that have one name everywhere.

    Attributes:
        home: Store, artifacts and checkpoints.
        tracking_uri: The MLflow store (None: MLFLOW_TRACKING_URI, else SQLite in the home; ``none``: no MLflow).
        launcher: ``ray`` or ``inline``.
        address: A Ray cluster; None starts a local one.
        storage: Where checkpoints go, a directory or a URL of fsspec; None: in the home.
        time_limit: Seconds after which no trial is started any more and those that run write a checkpoint.
        reports: Where reports go, each into a directory named after its experiment.
        hosts: Of a cluster, how many to wait for, for at most ``wait`` seconds; 0: whichever are there.
        at_once: Most trials at once, also on hosts that an autoscaler starts for them; 0: as many as fit those there.
        accelerator: Kind of GPU that costs are measured on, where a cluster has several; as Ray names it.
    """

    home: Path = Path(".depthbench")
    tracking_uri: str | None = None
    launcher: str = "ray"
    address: str | None = None
    reports: Path = REPORTS
    storage: str | None = None
    time_limit: float | None = None
    hosts: int = 0
    wait: float = 0.0
    at_once: int = 0
    accelerator: str | None = None

    def __post_init__(self) -> None:
        if self.launcher not in ("ray", "inline"):
            raise HarnessError(
                f"there is no launcher '{self.launcher}'", where="--launcher", remedy="Use ray or inline."
            )

    @property
    def folder(self) -> Folder:
        """Where the trials' checkpoints are."""
        from harness.tracking import default_storage

        return default_storage(self.home) if self.storage is None else Folder.at(self.storage)

    @property
    def one_machine(self) -> bool:
        """Whether trials run on this machine alone."""
        return self.address is None and not self.at_once

    @property
    def has_store(self) -> bool:
        """Whether the record is in MLflow, and not in the journals alone."""
        from harness.tracking.mlflow_record.client import NO_STORE, tracking_uri

        return tracking_uri(self.tracking_uri, self.home) != NO_STORE

    def record(self, experiment: str, create: bool = True) -> Record:
        """The record of an experiment.

        Raises:
            HarnessError: The store does not answer.
        """
        from harness.tracking import open_record

        return open_record(self.tracking_uri, self.home, experiment, create, self.folder)


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
    from harness.clusters.remote.probe import source_version

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
