"""The head of a cluster that `ray up` made: found, asked, and reached through a tunnel, as Ray's own commands do it.

Ray finds the head and writes the ssh command (`ray attach` and `ray dashboard` run the same one, with the user, key,
proxy and container of the cluster's file); what is added is that a command ends with whoever started it.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from harness.clusters import there
from harness.clusters.there import MARK
from harness.errors import HarnessError

JOBS = 8265
"""Port of Ray's job server, on the head's loopback."""
CONNECT_SECONDS = 15
"""How long ssh may take to reach the head; Ray allows 120."""
ANSWER_SECONDS = 60
BATCH = ["-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"]
"""Nothing is asked on the terminal, and no connection outlives its command. ssh takes the first value it is given."""


class Away(HarnessError):
    """The head does not answer now; a job that runs there runs on."""


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
        """What :mod:`harness.clusters.there` says there: versions, free disk, ``token`` and ``store``.

        Raises:
            HarnessError: There is no head, it lets nobody in, or it has no Python.
            Away: It does not answer.
        """
        program = base64.b64encode(Path(there.__file__).read_bytes()).decode()
        text = self._ask(f"python -c \"import base64; exec(base64.b64decode('{program}'))\"")
        for line in text.splitlines():
            if MARK in line:
                described: dict[str, Any] = json.loads(line.partition(MARK)[2])
                return described
        last = text.strip().splitlines()[-1:] or ["nothing"]
        raise HarnessError(
            f"the head's Python could not say what it is: {last[0]}",
            where=str(self.file),
            remedy="`python` in a login shell there has to be the one that runs Ray: see setup_commands.",
        )

    def _ask(self, command: str) -> str:
        words = self._ssh(command)
        with TemporaryFile() as out, TemporaryFile() as err:
            # Files, not pipes: whatever ssh leaves running would hold a pipe open.
            try:
                done = subprocess.run(  # noqa: S603 (written by Ray from the user's own file)
                    words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=ANSWER_SECONDS, check=False
                )
            except subprocess.TimeoutExpired as error:
                raise Away(
                    f"it did not answer within {ANSWER_SECONDS} s", where=str(self.file), remedy="Try again."
                ) from error
            if done.returncode == SSH_FAILED:
                raise self._refused(_text(err))
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
        jobs, mlflow = _free_port(), _free_port()
        # `cat` ends when this process does, however it ends: its standard input is closed then.
        words = self._ssh("cat", ((jobs, JOBS),), shell=False)
        at = urlsplit(store)
        if at.scheme == "http":
            # Ray forwards to the head's loopback alone; the store listens where workers reach it.
            words[1:1] = ["-L", f"{mlflow}:{at.hostname}:{at.port or 80}"]
            store = f"http://127.0.0.1:{mlflow}"
        with ExitStack() as stack:
            err = stack.enter_context(TemporaryFile())
            ssh = subprocess.Popen(  # noqa: S603 (written by Ray from the user's own file)
                words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True
            )
            stack.callback(_end, ssh)
            address = f"http://127.0.0.1:{jobs}"
            until = time.monotonic() + CONNECT_SECONDS + 5
            while not answers(address, "/api/version"):
                if ssh.poll() is not None:
                    raise self._refused(_text(err))
                if time.monotonic() > until:
                    raise Away(
                        f"the head can be reached, but no job server answers at its port {JOBS}",
                        where=str(self.file),
                        remedy="Start Ray there: `ray up` with this file. Its log is in /tmp/ray on the head.",
                    )
                time.sleep(0.1)
            yield Tunnel(address, store if store.startswith("http") and answers(store, "/health") else "")

    def _ssh(self, command: str, ports: Sequence[tuple[int, int]] = (), shell: bool = True) -> list[str]:
        """The command line with which Ray would run ``command`` on the head.

        Raises:
            HarnessError: The file is none of Ray's, or no head runs.
        """
        try:
            from ray.autoscaler._private import command_runner, commands
        except ImportError as error:
            raise HarnessError(
                "Ray's launcher is not installed", where=f"--cluster {self.file}", remedy="Install depthbench[cluster]."
            ) from error
        from harness.clusters.capacity import read_cluster

        said = io.StringIO()
        login = command_runner.is_using_login_shells()
        try:
            # It prints what it does with its own words and colours.
            with redirect_stdout(said), redirect_stderr(said):
                config = commands._bootstrap_config(read_cluster(self.file))
                provider = commands._get_node_provider(config["provider"], config["cluster_name"])
                node = commands._get_running_head_node(config, str(self.file), None, _provider=provider)
                written = _Written()
                runner = provider.get_command_runner(
                    "",
                    node,
                    config["auth"],
                    config["cluster_name"],
                    written,
                    config["provider"].get("use_internal_ips", False),
                    config.get("docker"),
                )
                command_runner.set_using_login_shells(shell)
                runner.run(command, timeout=CONNECT_SECONDS, port_forward=list(ports) or None, with_output=True)
        except HarnessError:
            raise
        except Exception as error:
            # Providers raise whatever their library does; a missing head is a RuntimeError.
            gone = "not found!" in str(error)
            raise HarnessError(
                "no head of this cluster runs" if gone else f"Ray cannot use this file: {_first(error)}",
                where=str(self.file),
                remedy=f"Start it, from this machine: ray up {self.file}" if gone else "See `harness cluster check`.",
            ) from error
        finally:
            command_runner.set_using_login_shells(login)
        return [written.command[0], *BATCH, *written.command[1:]]

    def _refused(self, said: str) -> HarnessError:
        """Why ssh ended, as an error."""
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        # That the key's file is missing is a warning of ssh, and the reason of what follows.
        missing = [line for line in lines if "not accessible" in line]
        reason = (missing or lines[-1:] or ["ssh ended without a word"])[0]
        if "Permission denied" in said or "UNPROTECTED" in said or "no such identity" in said.lower():
            return HarnessError(
                f"the head does not let you in: {reason}",
                where=f"{self.file}, auth",
                remedy="ssh_user and ssh_private_key have to be those of the cluster; a key with a passphrase needs "
                "an ssh-agent.",
            )
        return Away(
            f"the head cannot be reached: {reason}",
            where=str(self.file),
            remedy="Is it on, and does a firewall let your address in? `ray up` starts it again.",
        )


SSH_FAILED = 255
"""With what ssh itself ends; else it is the command's own end."""


class _Written:
    """In place of the module subprocess: keeps the command line that Ray would run."""

    command: list[str]

    def check_output(self, command: list[str], **_: Any) -> bytes:
        self.command = command
        return b""


def answers(address: str, path: str, seconds: float = 3) -> bool:
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
        free.bind(("127.0.0.1", 0))
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


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
