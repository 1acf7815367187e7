"""The head of a cluster that `ray up` made: asked what it is, and its ports brought here."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from harness import version
from harness.clusters.remote import probe
from harness.clusters.remote.probe import OUTPUT_MARK
from harness.clusters.remote.ssh import CONNECT_SECONDS, SSH_FAILED, ClusterUnreachable, build_ssh_command, explain_ssh_failure, missing_ssh_error
from harness.errors import HarnessError

JOB_SERVER_PORT = 8265
"""Port of Ray's job server, on the head's loopback."""
ANSWER_SECONDS = 60
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Tunnel:
    """Where the head's ports are while it is open.

    Attributes:
        jobs: Address of Ray's job server.
        mlflow: Address of the MLflow server; empty where there is none that answers.
    """

    jobs: str
    mlflow: str = ""


@dataclass(frozen=True)
class Head:
    """The head of the cluster of a file of Ray's launcher."""

    file: Path

    def describe(self) -> dict[str, Any]:
        """What :mod:`harness.clusters.remote.probe` says there: versions, free disk, ``token`` and ``store``.

        Raises:
            HarnessError: There is no head, it lets nobody in, or it has no Python.
            Away: It does not answer.
        """
        texts = [Path(file).read_text() for file in (version.__file__, probe.__file__)]
        program = base64.b64encode("\n".join(f"exec({text!r})" for text in texts).encode()).decode()
        text = self._ask(f"python -c \"import base64; exec(base64.b64decode('{program}'))\"")
        for line in text.splitlines():
            if OUTPUT_MARK in line:
                described: dict[str, Any] = json.loads(line.partition(OUTPUT_MARK)[2])
                return described
        last = text.strip().splitlines()[-1:] or ["nothing"]
        raise HarnessError(
            f"the head's Python could not say what it is: {last[0]}",
            where=str(self.file),
            remedy="`python` in a login shell there has to be the one that runs Ray: see setup_commands.",
        )

    def _ask(self, command: str) -> str:
        words = build_ssh_command(self.file, command)
        with TemporaryFile() as out, TemporaryFile() as err:
            # Files, not pipes: whatever ssh leaves running would hold a pipe open.
            try:
                done = subprocess.run(  # noqa: S603 (written by Ray from the user's own file)
                    words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=ANSWER_SECONDS, check=False
                )
            except FileNotFoundError as error:
                raise missing_ssh_error(self.file) from error
            except subprocess.TimeoutExpired as error:
                raise ClusterUnreachable(
                    f"it did not answer within {ANSWER_SECONDS} s", where=str(self.file), remedy="Try again."
                ) from error
            if done.returncode == SSH_FAILED:
                raise explain_ssh_failure(self.file, _text(err))
            return _text(out)

    @contextmanager
    def tunnel(self, store: str = "") -> Iterator[Tunnel]:
        """The head's job server and the cluster's store on loopback, within.

        Args:
            store: The tracking URI that the cluster uses.

        Raises:
            HarnessError: It lets nobody in.
            Away: It does not answer, or nothing listens there.
        """
        # A proxy of the environment does not know this machine's loopback.
        os.environ["no_proxy"] = f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},{LOOPBACK}".strip(",")
        jobs, mlflow = _free_port(), _free_port()
        # `cat` ends when this process does, however it ends: its standard input is closed then.
        words = build_ssh_command(self.file, "cat", ((jobs, JOB_SERVER_PORT),), shell=False)
        at = urlsplit(store)
        if at.scheme == "http":
            # Ray forwards to the head's loopback alone; the store listens where workers reach it.
            words[1:1] = ["-L", f"{mlflow}:{at.hostname}:{at.port or 80}"]
            store = f"http://{LOOPBACK}:{mlflow}"
        with ExitStack() as stack:
            err = stack.enter_context(TemporaryFile())
            try:
                ssh = subprocess.Popen(  # noqa: S603 (written by Ray from the user's own file)
                    words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True
                )
            except FileNotFoundError as error:
                raise missing_ssh_error(self.file) from error
            stack.callback(_end, ssh)
            address = f"http://{LOOPBACK}:{jobs}"
            until = time.monotonic() + CONNECT_SECONDS + 5
            while not has_http_server(address, "/api/version"):
                if ssh.poll() is not None:
                    raise explain_ssh_failure(self.file, _text(err))
                if time.monotonic() > until:
                    raise ClusterUnreachable(
                        f"the head can be reached, but no job server answers at its port {JOB_SERVER_PORT}",
                        where=str(self.file),
                        remedy="Start Ray there: `ray up` with this file. Its log is in /tmp/ray on the head.",
                    )
                time.sleep(0.1)
            yield Tunnel(address, store if store.startswith("http") and has_http_server(store, "/health") else "")


def has_http_server(address: str, path: str, seconds: float = 3) -> bool:
    """Whether an HTTP server answers there, be it with an error of its own."""
    from urllib.error import HTTPError

    try:
        # Not through a proxy of the environment: it is this machine, or a private network.
        build_opener(ProxyHandler({})).open(address.rstrip("/") + path, timeout=seconds).close()
    except HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        return int(free.getsockname()[1])


def _end(ssh: subprocess.Popen[bytes]) -> None:
    ssh.terminate()
    try:
        ssh.wait(5)
    except subprocess.TimeoutExpired:
        ssh.kill()
        ssh.wait()


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))
