"""Ray's job server on a cluster: a client that submits, lists, stops and follows jobs."""

from __future__ import annotations

import asyncio
import os
import shlex
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from harness.clusters.remote.head import has_http_server
from harness.clusters.remote.job_errors import convert_job_errors
from harness.clusters.remote.packaging import JobPackage
from harness.clusters.remote.ssh import ClusterUnreachable, RayStopped

Result = TypeVar("Result")

STOP_SECONDS = 60
"""Time that a stopped job has for its checkpoints; Ray's default is 3."""
SILENT_SECONDS = 30
"""Time without output after which a job's state is checked, because a dead connection reports no error."""
CHECK_SECONDS = 10
"""Time without output, or without an answer to a request, after which the cluster's health is checked.

Ray's client waits for ever for a job server that waits for a stopped Ray.
"""
HEALTH_SECONDS = 10
"""Time that the answer to a health check may take."""
MAX_UNANSWERED = 2
HEALTH_PAGE = "/api/gcs_healthz"
"""Page of the job server that says whether the service works on which all of Ray depends."""
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
        file: The file of the cluster, if the address is that of a tunnel to its head.

    Attributes:
        place: What the user gave for the cluster: the file, or the option with the address.
    """

    address = place = ""
    is_tunnel = False

    def __init__(self, address: str, token: str = "", file: Path | None = None) -> None:
        self.address, self.place, self.is_tunnel = address, str(file or f"--address {address}"), file is not None
        if not has_http_server(address, "/api/version"):
            raise ClusterUnreachable(
                "no job server answers at this address",
                where=self.place,
                remedy="Check that the cluster runs. Ray's job server listens on port 8265 of the head.",
            )
        variables = {name: os.environ.pop(name) for name in ADDRESS_VARIABLES if name in os.environ}
        try:
            with convert_job_errors(self.place, self.is_tunnel):
                from ray.job_submission import JobSubmissionClient

                headers = {"Authorization": f"Bearer {token}"} if token else None
                self.client = self._request(lambda: JobSubmissionClient(address, headers=headers))
        finally:
            os.environ.update(variables)

    def require_healthy(self, seconds: float = HEALTH_SECONDS) -> None:
        """Check that Ray works behind the job server.

        Args:
            seconds: Time that the answer may take.

        Raises:
            RayStopped: The job server says that Ray does not.
            ClusterUnreachable: The job server does not answer in time.
        """
        request = self.address.rstrip("/") + HEALTH_PAGE
        try:
            build_opener(ProxyHandler({})).open(request, timeout=seconds).close()
        except HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                start = f"ray up {shlex.quote(self.place)}" if self.is_tunnel else ""
                raise RayStopped(["gcs_server"], self.place, start) from error
        except (OSError, ValueError, HTTPException) as error:
            raise ClusterUnreachable(
                f"the job server does not answer: {getattr(error, 'reason', error)}",
                where=self.place,
                remedy="Try again.",
            ) from error

    def _request(self, request: Callable[[], Result]) -> Result:
        """Return the result of a request to the job server, however long it takes as long as the cluster is healthy.

        Raises:
            RayStopped: Ray stopped meanwhile.
            ClusterUnreachable: The job server stopped answering meanwhile.
        """
        answer: Future[Result] = Future()

        def work() -> None:
            try:
                answer.set_result(request())
            except BaseException as error:
                answer.set_exception(error)

        # The thread of a request that is never answered ends with this process.
        threading.Thread(target=work, daemon=True).start()
        unanswered = 0
        while not wait([answer], CHECK_SECONDS).done:
            try:
                self.require_healthy()
                unanswered = 0
            except ClusterUnreachable:
                # A large upload through a slow network may delay one answer.
                unanswered += 1
                if unanswered == MAX_UNANSWERED:
                    raise
        return answer.result()

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
        with convert_job_errors(self.place, self.is_tunnel):
            self._request(
                lambda: self.client.submit_job(
                    submission_id=job_id,
                    entrypoint=command,
                    metadata={"depthbench": experiment},
                    runtime_env={
                        "working_dir": str(package.directory),
                        "excludes": list(package.excludes),
                        "env_vars": variables,
                    },
                )
            )

    def get_job(self, job_id: str) -> Job:
        """Return a job by its id."""
        with convert_job_errors(self.place, self.is_tunnel):
            return _read_job(self._request(lambda: self.client.get_job_info(job_id)))

    def list_jobs(self) -> list[Job]:
        """Return all jobs that were submitted to the cluster, newest first."""
        with convert_job_errors(self.place, self.is_tunnel):
            jobs = [_read_job(info) for info in self._request(self.client.list_jobs) if info.submission_id]
        return sorted(jobs, key=lambda job: -job.started)

    def stop_job(self, job_id: str) -> bool:
        """Signal a job to write its checkpoints and end; return False if it has ended already."""
        with convert_job_errors(self.place, self.is_tunnel):
            return bool(self._request(lambda: self.client.stop_job(job_id)))

    def follow_output(self, job_id: str, show: Callable[[str], None], skip: int = 0) -> int:
        """Pass what a job prints to ``show``, until the job ends or is silent for a minute.

        The server always sends the output from its beginning.

        Args:
            skip: Number of characters from the beginning that were shown before.

        Returns:
            The number of characters that the job has printed so far.
        """
        received, silent = 0, 0.0
        with asyncio.Runner() as runner:
            chunks = self.client.tail_job_logs(job_id)
            next_chunk: asyncio.Future[str | None] | None = None

            async def receive() -> bool:
                nonlocal next_chunk
                next_chunk = next_chunk or asyncio.ensure_future(_next(chunks))
                await asyncio.wait([next_chunk], timeout=min(CHECK_SECONDS, SILENT_SECONDS))
                return next_chunk.done()

            while True:
                with convert_job_errors(self.place, self.is_tunnel):
                    if not runner.run(receive()) or next_chunk is None:
                        silent += min(CHECK_SECONDS, SILENT_SECONDS)
                        if silent >= SILENT_SECONDS:
                            return received
                        self.require_healthy()
                        continue
                    text, next_chunk, silent = next_chunk.result(), None, 0.0
                if text is None:
                    return received
                new_text = text[max(skip - received, 0) :]
                received += len(text)
                if new_text:
                    show(new_text)


async def _next(chunks: AsyncIterator[str]) -> str | None:
    """Return the next chunk of an output; None at its end."""
    return await anext(chunks, None)


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
