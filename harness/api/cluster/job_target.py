"""The cluster that a job is sent to, and the connection to its job server."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.clusters.remote.job_server import JobClient
    from harness.clusters.remote.sent_jobs import SentJob


@dataclass(frozen=True)
class JobTarget:
    """Where jobs are sent: to the head of a cluster's file, or to the address of a job server.

    Attributes:
        file: The file of a cluster that `ray up` made; None with an address.
        address: The address of a job server, such as ``http://HOST:8265``; empty with a file.
    """

    file: Path | None = None
    address: str = ""

    @classmethod
    def of(cls, sent: SentJob) -> JobTarget:
        """Return the target that a job was sent to."""
        return cls(Path(sent.cluster)) if sent.cluster else cls(address=sent.address)

    def __str__(self) -> str:
        return str(self.file or self.address)

    @property
    def option(self) -> str:
        """The target as an option of the command line."""
        return f"--cluster {shlex.quote(str(self.file))}" if self.file else f"--address {self.address}"

    @contextmanager
    def connect(self, ships_source: bool | None = None) -> Iterator[tuple[JobClient, str]]:
        """Connect to the job server and to the cluster's MLflow server.

        Args:
            ships_source: Whether a job that is about to be sent brings its own Depthbench. The versions on both sides
                are checked accordingly. None: no job is about to be sent, and nothing is checked.

        Yields:
            The job server, and the address of the MLflow server (empty if none can be reached).

        Raises:
            HarnessError: The cluster cannot be reached, refuses the login, or its versions do not fit this machine's.
        """
        from harness.clusters.remote.compatibility import require_compatible
        from harness.clusters.remote.head import Head
        from harness.clusters.remote.job_server import JobClient
        from harness.clusters.remote.probe import find_token

        with ExitStack() as stack:
            # Ray's launcher and its job client log every step, whatever the level of their own loggers.
            stack.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.INFO)
            if self.file is None:
                yield JobClient(self.address, find_token()), ""
                return
            head = Head(self.file)
            description = head.describe()
            if ships_source is not None:
                require_compatible(description, self.file, ships_source)
            tunnel = stack.enter_context(head.open_tunnel(description["store"]))
            yield JobClient(tunnel.jobs, description["token"]), tunnel.mlflow
