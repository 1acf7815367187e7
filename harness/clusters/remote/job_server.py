"""Jobs on a cluster, through Ray's job server."""

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
"""How long a job that is stopped has for its checkpoints; Ray gives 3."""
SILENT_SECONDS = 60
"""A job that prints nothing for so long is looked at: a dead connection does not tell that it is."""
OVERRIDES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Ray's client would follow these in place of the address that it is given."""


@dataclass(frozen=True)
class Job:
    """A job as its cluster knows it.

    Attributes:
        experiment: Empty for a job that was not sent from here.
        state: Ray's: ``PENDING``, ``RUNNING``, ``SUCCEEDED``, ``FAILED``, ``STOPPED``.
        message: What Ray says of it.
        started: Milliseconds since 1970, and ``ended``; 0 while it did not.
        code: Exit status, once it ended by itself.
    """

    id: str
    experiment: str
    state: str
    message: str
    started: int
    ended: int
    code: int | None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("SUCCEEDED", "FAILED", "STOPPED")


class JobClient:
    """A client of the job server at an address.

    Every method raises :class:`Away` where it does not answer, and HarnessError where it refuses.
    """

    def __init__(self, address: str, token: str = "") -> None:
        if not has_http_server(address, "/api/version"):
            raise ClusterUnreachable(
                "no job server answers there",
                where=f"--address {address}",
                remedy="Is the cluster up? Ray's job server listens at port 8265 of the head.",
            )
        before = {name: os.environ.pop(name) for name in OVERRIDES if name in os.environ}
        try:
            with _answering(address):
                from ray.job_submission import JobSubmissionClient

                headers = {"Authorization": f"Bearer {token}"} if token else None
                self.client = JobSubmissionClient(address, headers=headers)
        finally:
            os.environ.update(before)
        self.address = address

    def submit(
        self, identity: str, entrypoint: str, parcel: JobPackage, environment: dict[str, str], about: str
    ) -> None:
        """Send a job.

        Args:
            identity: As it is to be known; a second one of that name is refused.
            about: The experiment.
        """
        variables = {"PYTHONUNBUFFERED": "1", "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **environment}
        with _answering(self.address):
            self.client.submit_job(
                submission_id=identity,
                entrypoint=entrypoint,
                metadata={"depthbench": about},
                runtime_env={
                    "working_dir": str(parcel.directory),
                    "excludes": list(parcel.excludes),
                    "env_vars": variables,
                },
            )

    def look(self, identity: str) -> Job:
        """A job by its name."""
        with _answering(self.address):
            return _job(self.client.get_job_info(identity))

    def all(self) -> list[Job]:
        """All jobs that were sent to the cluster, newest first."""
        with _answering(self.address):
            sent = [_job(info) for info in self.client.list_jobs() if info.submission_id]
        return sorted(sent, key=lambda job: -job.started)

    def stop(self, identity: str) -> bool:
        """Ask a job to write its checkpoints and end; False where it had ended."""
        with _answering(self.address):
            return bool(self.client.stop_job(identity))

    def follow(self, identity: str, show: Callable[[str], None], seen: int = 0) -> int:
        """Show what a job prints, from character ``seen`` on; how many characters there were.

        It returns where the job has ended, and where it was silent for so long that the connection may be lost. The
        server sends everything from the beginning, whoever comes again; what was seen is passed over.
        """

        came = 0
        with asyncio.Runner() as runner:
            lines = self.client.tail_job_logs(identity)

            async def more() -> str | None:
                return await asyncio.wait_for(anext(lines, None), SILENT_SECONDS)

            while True:
                with _answering(self.address):
                    try:
                        text = runner.run(more())
                    except TimeoutError:
                        return came
                if text is None:
                    return came
                new = text[max(seen - came, 0) :]
                came += len(text)
                if new:
                    show(new)


def _job(info: Any) -> Job:
    return Job(
        info.submission_id or "",
        (info.metadata or {}).get("depthbench", ""),
        str(getattr(info.status, "value", info.status)),
        info.message or "",
        info.start_time or 0,
        info.end_time or 0,
        info.driver_exit_code,
    )


@contextmanager
def _answering(address: str) -> Iterator[None]:
    """Errors of Ray's client as ours."""
    try:
        yield
    except HarnessError:
        raise
    except ImportError as error:
        raise HarnessError(
            "Ray's job client is not installed", where="--cluster", remedy="Install depthbench[cluster]."
        ) from error
    except Exception as error:
        kind, text = type(error).__name__, str(error).strip().partition("\n")[0]
        if kind == "AuthenticationError":
            raise HarnessError(
                "the cluster asks for its token, and this machine has another one or none",
                where=f"--address {address}",
                remedy="Put the head's ~/.ray/auth_token into RAY_AUTH_TOKEN here.",
            ) from error
        if "status code 404" in text:
            raise HarnessError(
                "the cluster knows no such job", where=address, remedy="It was started anew since: run it again."
            ) from error
        # What a server answers in the fours stays so; a RuntimeError without a status is a broken connection.
        if isinstance(error, ValueError) or "status code 4" in text:
            raise HarnessError(f"the job server refuses: {text[:300]}", where=address) from error
        raise ClusterUnreachable(f"the job server does not answer: {text[:200] or kind}", where=address) from error
