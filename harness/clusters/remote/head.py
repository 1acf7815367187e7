"""The head of a cluster that `ray up` started: what is installed on it, and a tunnel to its ports."""

from __future__ import annotations

import base64
import json
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from harness import version
from harness.clusters.remote import probe, services_probe
from harness.clusters.remote.probe import OUTPUT_MARK
from harness.clusters.remote.ssh import (
    CONNECT_SECONDS,
    SSH_FAILED,
    ClusterUnreachable,
    RayStopped,
    build_ssh_command,
    explain_ssh_failure,
    missing_ssh_error,
)
from harness.errors import HarnessError

JOB_SERVER_PORT = 8265
"""Port of Ray's job server on the head."""
ANSWER_SECONDS = 60
"""Time that a command on the head may take."""
LOOPBACK = "127.0.0.1"
PROBE_FILES = (version.__file__, services_probe.__file__, probe.__file__)
"""The files whose texts are run on the head, in this order."""


@dataclass(frozen=True)
class Head:
    """The head of a running cluster.

    Attributes:
        file: The YAML file with which Ray's cluster launcher started it.
        needs_ray: Whether Ray has to run there. The record can be read from a machine on which Ray has ended.
    """

    file: Path
    needs_ray: bool = True

    def describe(self) -> dict[str, Any]:
        """Return what the probe prints on the head: versions, free disk, token, missing parts of Ray, MLflow server.

        Raises:
            HarnessError: No head runs, it refuses the login, or it has no suitable Python.
            ClusterUnreachable: The head does not answer.
        """
        sources = [Path(file).read_text() for file in PROBE_FILES]
        program = base64.b64encode("\n".join(f"exec({text!r})" for text in sources).encode()).decode()
        output = self._run(f"python -c \"import base64; exec(base64.b64decode('{program}'))\"")
        for line in output.splitlines():
            if OUTPUT_MARK in line:
                described: dict[str, Any] = json.loads(line.partition(OUTPUT_MARK)[2])
                return described
        last = output.strip().splitlines()[-1:] or ["no output"]
        raise HarnessError(
            f"the probe failed in the head's Python: {last[0]}",
            where=str(self.file),
            remedy="In setup_commands of the file, put the Python that runs Ray first on the PATH of login shells.",
        )

    def _run(self, command: str) -> str:
        """Run a command on the head and return its output.

        Raises:
            HarnessError: ssh is not installed, or the head refuses the login.
            ClusterUnreachable: The head does not answer.
        """
        words = build_ssh_command(self.file, command, needs_ray=self.needs_ray)
        with TemporaryFile() as out, TemporaryFile() as err:
            # Files in place of pipes, because a process that ssh leaves behind would keep a pipe open.
            try:
                done = subprocess.run(  # noqa: S603 (Ray builds it from the user's file)
                    words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=ANSWER_SECONDS, check=False
                )
            except FileNotFoundError as error:
                raise missing_ssh_error(self.file) from error
            except subprocess.TimeoutExpired as error:
                raise ClusterUnreachable(
                    f"the head did not answer within {ANSWER_SECONDS} s", where=str(self.file), remedy="Try again."
                ) from error
            if done.returncode == SSH_FAILED:
                raise explain_ssh_failure(self.file, _read_text(err))
            return _read_text(out)

    def require_ray(self, description: Mapping[str, Any]) -> None:
        """Check that Ray runs on the head.

        Args:
            description: What :meth:`describe` returned.

        Raises:
            RayStopped: A part of Ray does not run.
        """
        if missing := description.get("missing"):
            raise RayStopped(missing, str(self.file), f"ray up {shlex.quote(str(self.file))}")

    @contextmanager
    def open_job_tunnel(self) -> Iterator[str]:
        """Forward a local port to the head's job server until the context ends, and yield its address.

        Raises:
            HarnessError: The head refuses the login.
            ClusterUnreachable: The head does not answer, or no job server runs there.
        """
        with self._forward(LOOPBACK, JOB_SERVER_PORT, "/api/version") as address:
            if not address:
                raise ClusterUnreachable(
                    f"the head answers, but no job server does at its port {JOB_SERVER_PORT}",
                    where=str(self.file),
                    remedy="Start Ray there: run `ray up` with this file. Ray's log is in /tmp/ray on the head.",
                )
            yield address

    @contextmanager
    def open_record_tunnel(self, tracking_uri: str) -> Iterator[str]:
        """Forward a local port to the cluster's MLflow server until the context ends, and yield its address.

        Args:
            tracking_uri: Address of the server as the head uses it. A server with https is used without a tunnel.

        Yields:
            The address; empty if no server answers.

        Raises:
            HarnessError: The head refuses the login.
            ClusterUnreachable: The head does not answer.
        """
        parts = urlsplit(tracking_uri)
        if parts.scheme != "http":
            yield tracking_uri if parts.scheme == "https" and has_http_server(tracking_uri, "/health") else ""
            return
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        with self._forward(str(host), parts.port or 80, "/health") as address:
            yield address

    @contextmanager
    def _forward(self, host: str, port: int, path: str) -> Iterator[str]:
        """Forward a local port to a port that the head reaches, until the context ends, and yield its address.

        Args:
            path: A page that the server there has.

        Yields:
            The address; empty if ssh is connected, but no server answers in time.
        """
        # A proxy of the environment cannot reach the loopback of this machine.
        os.environ["no_proxy"] = f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},{LOOPBACK}".strip(",")
        local_port = _free_port()
        # `cat` ends when this process ends in any way, because its standard input is then closed.
        words = build_ssh_command(self.file, "cat", shell=False, needs_ray=self.needs_ray)
        # Ray itself forwards to the head's loopback only, but MLflow listens on the address that workers use.
        words[1:1] = ["-o", "ExitOnForwardFailure=yes", "-L", f"{LOOPBACK}:{local_port}:{host}:{port}"]
        with ExitStack() as stack:
            err = stack.enter_context(TemporaryFile())
            try:
                ssh = subprocess.Popen(  # noqa: S603 (Ray builds it from the user's file)
                    words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True
                )
            except FileNotFoundError as error:
                raise missing_ssh_error(self.file) from error
            stack.callback(_terminate, ssh)
            address = f"http://{LOOPBACK}:{local_port}"
            deadline = time.monotonic() + CONNECT_SECONDS + 5
            while not (is_ready := has_http_server(address, path)) and time.monotonic() < deadline:
                if ssh.poll() is not None:
                    raise explain_ssh_failure(self.file, _read_text(err))
                time.sleep(0.1)
            yield address if is_ready else ""


def has_http_server(address: str, path: str) -> bool:
    """Return whether an HTTP server answers at an address; an HTTP error is an answer too."""
    from urllib.error import HTTPError

    try:
        # The address is on this machine or in a private network, which a proxy of the environment cannot reach.
        build_opener(ProxyHandler({})).open(address.rstrip("/") + path, timeout=3).close()
    except HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _free_port() -> int:
    """Return a port of the loopback that no program uses now."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        return int(server.getsockname()[1])


def _terminate(ssh: subprocess.Popen[bytes]) -> None:
    """End an ssh process."""
    ssh.terminate()
    try:
        ssh.wait(5)
    except subprocess.TimeoutExpired:
        ssh.kill()
        ssh.wait()


def _read_text(file: Any) -> str:
    """Return the whole content of an open file as text."""
    file.seek(0)
    return str(file.read().decode(errors="replace"))
