"""The cluster that a job is sent to, and the connection to its job server."""

from __future__ import annotations

import logging
import os
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
class ClusterRecord:
    """The MLflow server of a cluster, while a tunnel to it is open.

    Attributes:
        address: Its address on this machine; empty if no server answers.
        remote_address: Its address as the head uses it; empty if the head knows of none.
        has_ray: Whether Ray runs on the head.
    """

    address: str
    remote_address: str
    has_ray: bool


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
    def connect(self, ships_source: bool | None = None) -> Iterator[JobClient]:
        """Connect to the job server.

        Args:
            ships_source: Whether a job that is about to be sent brings its own Depthbench. The versions on both sides
                are checked accordingly. None: no job is about to be sent, and nothing is checked.

        Raises:
            HarnessError: The cluster refuses the login, or its versions do not fit this machine's.
            RayStopped: The head answers, but Ray has stopped there.
            ClusterUnreachable: The head does not answer.
        """
        from harness.clusters.remote.compatibility import require_compatible
        from harness.clusters.remote.head import Head
        from harness.clusters.remote.job_server import JobClient
        from harness.clusters.remote.probe import find_token

        with ExitStack() as stack:
            stack.enter_context(_quiet())
            if self.file is None:
                yield JobClient(self.address, find_token())
                return
            head = Head(self.file)
            description = head.describe()
            if ships_source is not None:
                require_compatible(description, self.file, ships_source)
            head.require_ray(description)
            yield JobClient(stack.enter_context(head.open_job_tunnel()), description["token"], self.file)

    def require_ray(self) -> None:
        """Check by ssh that Ray runs on the head. Do nothing for an address, which may lead to any machine.

        Raises:
            HarnessError: The cluster refuses the login, or no head runs.
            RayStopped: The head answers, but Ray has stopped there.
            ClusterUnreachable: The head does not answer.
        """
        from harness.clusters.remote.head import Head

        if self.file is not None:
            head = Head(self.file)
            with _quiet():
                head.require_ray(head.describe())

    @contextmanager
    def open_record(self) -> Iterator[ClusterRecord]:
        """Connect to the cluster's MLflow server alone, which may outlive Ray; needs the file of a cluster.

        The credentials that the head has for the server hold in this process until the context ends.

        Raises:
            HarnessError: No head runs, or it refuses the login.
            ClusterUnreachable: The head does not answer.
        """
        from harness.clusters.remote.head import Head

        assert self.file is not None
        with ExitStack() as stack:
            stack.enter_context(_quiet())
            head = Head(self.file, needs_ray=False)
            description = head.describe()
            stack.enter_context(_credentials(description["user"], description["password"]))
            address = stack.enter_context(head.open_record_tunnel(description["store"]))
            yield ClusterRecord(address, description["store"], not description["missing"])


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Ray's launcher and its job client, which log every step, whatever the level of their own loggers."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _credentials(user: str, password: str) -> Iterator[None]:
    """Set the credentials of MLflow's client in this process until the context ends; nothing if they are empty."""
    values = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password} if password else {}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
