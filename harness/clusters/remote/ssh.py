"""The ssh command that reaches the head of a cluster, and the errors of a failed one.

Ray builds it with user, key, proxy and container of the cluster's file, as for `ray attach`. Options are added
so that ssh asks no question, and leaves no connection behind.
"""

from __future__ import annotations

import io
import shlex
import socket
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from harness.clusters.capacity import read_cluster_file, require_ray_launcher
from harness.errors import HarnessError

CONNECT_SECONDS = 10
"""Time in which ssh must reach the head; Ray's default is 120."""
SSH_FAILED = 255
"""Exit status of ssh if it failed itself; any other one is that of the command on the head."""
BATCH = ["-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"]
"""Options for no question and no shared connection. They come first, because ssh uses the first value of an option."""


class ClusterUnreachable(HarnessError):
    """The head of a cluster does not answer now. A job on the cluster may continue."""


class RayStopped(HarnessError):
    """The head of a cluster answers, but Ray does not run there any more. Its jobs have ended.

    Args:
        missing: The parts of Ray that do not run.
        where: The cluster's file, or the address of its job server.
        start: The command that starts Ray again; empty if it is not known.
    """

    def __init__(self, missing: Sequence[str], where: str, start: str = "") -> None:
        super().__init__(
            f"Ray has stopped on the head: its {' and its '.join(missing)} {'do' if missing[1:] else 'does'} not run",
            where=where,
            remedy=f"{f'Run `{start}`' if start else 'Start Ray there again'}, then the same `harness run`: trials "
            "resume from their checkpoints, and nothing that was recorded is trained again.",
        )


def build_ssh_command(
    file: Path, command: str, ports: Sequence[tuple[int, int]] = (), shell: bool = True, needs_ray: bool = True
) -> list[str]:
    """Return the words of the ssh command with which Ray would run ``command`` on the head.

    Args:
        ports: Pairs of a local port and the port of the head's loopback that it is forwarded to.
        shell: Whether to use a login shell with a terminal, which has the user's PATH. Otherwise the command has this
            process's standard input.
        needs_ray: Whether the command is for a head that `ray up` started. Otherwise a machine of the provider
            ``local`` will do after `ray down`, and without a `ray up` from this machine.

    Raises:
        HarnessError: Ray cannot use the file, or no head runs.
        ClusterUnreachable: The cloud's API cannot be reached.
    """
    require_ray_launcher(file)
    from ray.autoscaler._private import command_runner, commands

    output = io.StringIO()
    uses_login_shells = command_runner.is_using_login_shells()
    try:
        # Ray prints its progress, which is not for the user of this command.
        with redirect_stdout(output), redirect_stderr(output):
            config = commands._bootstrap_config(read_cluster_file(file))
            provider = commands._get_node_provider(config["provider"], config["cluster_name"])
            node = _find_head(config, file, provider, needs_ray)
            recorder = _CommandRecorder()
            runner = provider.get_command_runner(
                "",
                node,
                config["auth"],
                config["cluster_name"],
                recorder,
                config["provider"].get("use_internal_ips", False),
                config.get("docker"),
            )
            command_runner.set_using_login_shells(shell)
            runner.run(command, timeout=CONNECT_SECONDS, port_forward=list(ports) or None, with_output=True)
    except HarnessError:
        raise
    except Exception as error:
        # Providers raise any error of their library; a missing head is a RuntimeError.
        if _is_network(error):
            raise ClusterUnreachable(
                f"the cloud's API cannot be reached: {_first_line(error)}", where=str(file), remedy="Try again."
            ) from error
        raise _explain_ray_error(file, error, output.getvalue()) from error
    finally:
        command_runner.set_using_login_shells(uses_login_shells)
    return [recorder.command[0], *BATCH, *recorder.command[1:]]


def _explain_ray_error(file: Path, error: Exception, printed: str) -> HarnessError:
    """Return the error for an exception of Ray's launcher.

    Args:
        printed: What Ray printed before.
    """
    path = shlex.quote(str(file))
    if "not found!" in str(error):
        return HarnessError(
            "no head of this cluster runs", where=str(file), remedy=f"Start it from this machine: ray up {path}"
        )
    # If Ray aborts, it has printed the reason before.
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    reason = lines[-1] if lines and "cli_logger.abort" in str(error) else _first_line(error)
    return HarnessError(
        f"Ray cannot use this file: {reason[:300]}", where=str(file), remedy=f"Run `harness cluster check {path}`."
    )


def missing_ssh_error(file: Path) -> HarnessError:
    """Return the error for a machine without ssh."""
    return HarnessError("ssh is not installed on this machine", where=str(file), remedy="Install OpenSSH's client.")


def explain_ssh_failure(file: Path, output: str) -> HarnessError:
    """Return the error for a failed ssh command.

    Args:
        output: What ssh printed to standard error.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # ssh warns about a missing key file, which then causes the error in its last line.
    missing_key = [line for line in lines if "not accessible" in line]
    reason = (missing_key or lines[-1:] or ["ssh printed no reason"])[0]
    if "Permission denied" in output or "UNPROTECTED" in output or "no such identity" in output.lower():
        return HarnessError(
            f"the head refuses the login: {reason}",
            where=f"{file}, auth",
            remedy="Check ssh_user and ssh_private_key in the file. A key with a passphrase needs an ssh-agent.",
        )
    return ClusterUnreachable(
        f"the head cannot be reached: {reason}",
        where=str(file),
        remedy="Check that it runs (`ray up` starts it again), and that its firewall accepts your address.",
    )


def _find_head(config: Mapping[str, Any], file: Path, provider: Any, needs_ray: bool) -> str:
    """Return Ray's name for the head.

    Raises:
        RuntimeError: Ray knows of no head that runs.
    """
    from ray.autoscaler._private import commands

    try:
        return str(commands._get_running_head_node(config, str(file), None, _provider=provider))
    except RuntimeError:
        address = str(config["provider"].get("head_ip", "")) if config["provider"].get("type") == "local" else ""
        if needs_ray or not address:
            raise
        return address


def _is_network(error: BaseException) -> bool:
    """Return whether an error means that a cloud's library could not reach the cloud's API."""
    kinds: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError, socket.gaierror)
    with suppress(ImportError):
        from botocore.exceptions import ConnectionError as AwsConnectionError
        from botocore.exceptions import HTTPClientError

        kinds += (AwsConnectionError, HTTPClientError)
    return isinstance(error, kinds)


class _CommandRecorder:
    """A replacement of the module subprocess that records the command which Ray would run."""

    command: list[str]

    def check_output(self, command: list[str], **_: Any) -> bytes:
        self.command = command
        return b""


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its class."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
