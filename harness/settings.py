"""The settings that have one name everywhere: on the command line, in Python and in what is sent to a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError


@dataclass(frozen=True)
class Settings:
    """Where an experiment runs, and where its record, checkpoints and reports are.

    Attributes:
        home: Store, artifacts and checkpoints.
        tracking_uri: The MLflow store (None: MLFLOW_TRACKING_URI, else SQLite in the home; ``none``: no MLflow).
        launcher: ``ray`` or ``inline``.
        address: A Ray cluster; None starts a local one.
        reports: Where reports go, each into a directory named after its experiment.
        storage: Where checkpoints go, a directory or a URL of fsspec; None: in the home.
        time_limit: Seconds after which no further trial starts, and running trials write a checkpoint and stop.
        hosts: Number of cluster hosts to wait for, for at most ``wait`` seconds; 0: those that are up already.
        wait: Seconds to wait for the hosts of a cluster.
        at_once: Most trials at once, also on hosts that an autoscaler starts for them; 0: as many as fit the hosts.
        accelerator: Kind of GPU that costs are measured on, where a cluster has several; as Ray names it.

    Raises:
        HarnessError: There is no such launcher.
    """

    home: Path = Path(".depthbench")
    tracking_uri: str | None = None
    launcher: str = "ray"
    address: str | None = None
    reports: Path = Path("reports")
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
    def one_machine(self) -> bool:
        """Whether trials run on this machine alone."""
        return self.address is None and not self.at_once
