"""Ray's job server on a cluster: a client that submits, lists, stops and follows jobs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.clusters.remote.head import has_http_server
from harness.clusters.remote.packaging import JobPackage
from harness.clusters.remote.ssh import ClusterUnreachable
from harness.errors import HarnessError

STOP_SECONDS = 60
"""Time that a stopped job has for its checkpoints; Ray's default is 3."""
SILENT_SECONDS = 60
"""Time without output after which a job's state is checked, because a dead connection reports no error."""
ADDRESS_VARIABLES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Variables that Ray's client would use in place of the address that it is given."""
FINAL_STATES = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class Job:
    """A job as its cluster reports it.

    Attributes:
        id: Id of the job on the cluster.
        experiment: Name of its experiment; empty if Depthbench did not send it.
        state: Ray's state: ``PENDING``, ``RUNNING``, ``SUCCEEDED``, ``FAILED`` or ``STOPPED``.
        message: Ray's message about the state.
        started: Time of its start, in milliseconds since 1970; 0 before it.
        ended: Time of its end, in milliseconds since 1970; 0 before it.
        code: Exit status; None before the job has ended by itself.
    """

    id: str
    experiment: str
    state: str
    message: str
    started: int
    ended: int
    code: int | None

    @property
    def has_ended(self) -> bool:
        """Whether the job has ended in any way."""
        return self.state in FINAL_STATES


class JobClient:
    """A client of the job server at an address.

    Every method raises :class:`ClusterUnreachable` if the server does not answer, and HarnessError if it refuses.

    Args:
        address: Address of the server, such as ``http://HOST:8265``.
        token: The cluster's token; empty if there is none.
    """

    def __init__(self, address: str, token: str = "") -> None:
        if not has_http_server(address, "/api/version"):
            raise ClusterUnreachable(
                "no job server answers at this address",
                where=f"--address {address}",
                remedy="Check that the cluster runs. Ray's job server listens on port 8265 of the head.",
            )
        variables = {name: os.environ.pop(name) for name in ADDRESS_VARIABLES if name in os.environ}
        try:
            with _convert_errors(address):
                from ray.job_submission import JobSubmissionClient

                headers = {"Authorization": f"Bearer {token}"} if token else None
                self.client = JobSubmissionClient(address, headers=headers)
        finally:
            os.environ.update(variables)
        self.address = address

    def submit_job(
        self, job_id: str, command: str, package: JobPackage, environment: dict[str, str], experiment: str
    ) -> None:
        """Submit a job.

        Args:
            job_id: Id of the job; the server refuses one that exists.
            command: The command that the job runs.
            package: The files that are sent with it.
            environment: Variables of the command.
            experiment: Name of the experiment.
        """
        variables = {"PYTHONUNBUFFERED": "1", "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **environment}
        with _convert_errors(self.address):
            self.client.submit_job(
                submission_id=job_id,
                entrypoint=command,
                metadata={"depthbench": experiment},
                runtime_env={
                    "working_dir": str(package.directory),
                    "excludes": list(package.excludes),
                    "env_vars": variables,
                },
            )

    def get_job(self, job_id: str) -> Job:
        """Return a job by its id."""
        with _convert_errors(self.address):
            return _read_job(self.client.get_job_info(job_id))

    def list_jobs(self) -> list[Job]:
        """Return all jobs that were submitted to the cluster, newest first."""
        with _convert_errors(self.address):
            jobs = [_read_job(info) for info in self.client.list_jobs() if info.submission_id]
        return sorted(jobs, key=lambda job: -job.started)

    def stop_job(self, job_id: str) -> bool:
        """Signal a job to write its checkpoints and end; return False if it has ended already."""
        with _convert_errors(self.address):
            return bool(self.client.stop_job(job_id))

    def follow_output(self, job_id: str, show: Callable[[str], None], skip: int = 0) -> int:
        """Pass what a job prints to ``show``, until the job ends or is silent for a minute.

        The server always sends the output from its beginning.

        Args:
            skip: Number of characters from the beginning that were shown before.

        Returns:
            The number of characters that the job has printed so far.
        """
        received = 0
        with asyncio.Runner() as runner:
            chunks = self.client.tail_job_logs(job_id)

            async def receive() -> str | None:
                return await asyncio.wait_for(anext(chunks, None), SILENT_SECONDS)

            while True:
                with _convert_errors(self.address):
                    try:
                        text = runner.run(receive())
                    except TimeoutError:
                        return received
                if text is None:
                    return received
                new_text = text[max(skip - received, 0) :]
                received += len(text)
                if new_text:
                    show(new_text)


def _read_job(info: Any) -> Job:
    """Return a job from Ray's description of it."""
    return Job(
        id=info.submission_id or "",
        experiment=(info.metadata or {}).get("depthbench", ""),
        state=str(getattr(info.status, "value", info.status)),
        message=info.message or "",
        started=info.start_time or 0,
        ended=info.end_time or 0,
        code=info.driver_exit_code,
    )


@contextmanager
def _convert_errors(address: str) -> Iterator[None]:
    """Convert the errors of Ray's client.

    Raises:
        HarnessError: The server refuses the request, or Ray's client is not installed.
        ClusterUnreachable: The server does not answer.
    """
    try:
        yield
    except HarnessError:
        raise
    except ImportError as error:
        raise HarnessError(
            "Ray's job client is not installed", where="--cluster", remedy="Install depthbench[cluster]."
        ) from error
    except Exception as error:
        name, message = type(error).__name__, str(error).strip().partition("\n")[0]
        if name == "AuthenticationError":
            raise HarnessError(
                "the cluster needs its token, and this machine has another token or none",
                where=f"--address {address}",
                remedy="Set RAY_AUTH_TOKEN here to the content of the head's ~/.ray/auth_token.",
            ) from error
        if "status code 404" in message:
            raise HarnessError(
                "the cluster has no such job",
                where=address,
                remedy="The cluster was started again after the job was sent: send the job again.",
            ) from error
        # A status of 400 to 499 will not change by trying again. Other errors may be a broken connection.
        if isinstance(error, ValueError) or "status code 4" in message:
            raise HarnessError(
                f"the job server refuses: {message[:300]}",
                where=address,
                remedy="Check that the cluster has the same version of Ray as this machine.",
            ) from error
        raise ClusterUnreachable(
            f"the job server does not answer: {message[:200] or name}", where=address, remedy="Try again."
        ) from error
