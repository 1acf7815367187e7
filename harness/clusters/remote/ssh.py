"""The ssh commands with which Ray reaches the head of a cluster, and why one of them failed.

Ray finds the head and writes the command (`ray attach` and `ray dashboard` run the same one, with the user, key, proxy
and container of the cluster's file); what is added is that it asks nothing and ends with whoever started it.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from harness.clusters.capacity import read_cluster_file, require_ray_launcher
from harness.errors import HarnessError

CONNECT_SECONDS = 10
"""How long ssh may take to reach the head; Ray allows 120."""
SSH_FAILED = 255
"""With what ssh itself ends; else it is the command's own end."""
BATCH = ["-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"]
"""Nothing is asked on the terminal, and no connection outlives its command. ssh takes the first value it is given."""


class ClusterUnreachable(HarnessError):
    """The head does not answer now; a job that runs there runs on."""


def build_ssh_command(file: Path, command: str, ports: Sequence[tuple[int, int]] = (), shell: bool = True) -> list[str]:
    """The command line with which Ray would run ``command`` on the head.

    Args:
        ports: Pairs (here, on the head's loopback) to forward.
        shell: Whether in a login shell with a terminal, which has the user's PATH; else its standard input is ours.

    Raises:
        HarnessError: The file is none of Ray's, or no head runs.
    """
    require_ray_launcher(file)
    from ray.autoscaler._private import command_runner, commands

    said = io.StringIO()
    login = command_runner.is_using_login_shells()
    try:
        # It prints what it does with its own words and colours.
        with redirect_stdout(said), redirect_stderr(said):
            config = commands._bootstrap_config(read_cluster_file(file))
            provider = commands._get_node_provider(config["provider"], config["cluster_name"])
            node = commands._get_running_head_node(config, str(file), None, _provider=provider)
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
        if _is_network(error):
            raise ClusterUnreachable(
                f"the cloud's own address cannot be reached: {_first(error)}", where=str(file), remedy="Try again."
            ) from error
        gone = "not found!" in str(error)
        # Where Ray gives up by itself, the reason is what it printed before.
        reason = next((line for line in reversed(said.getvalue().splitlines()) if line.strip()), "")
        reason = reason.strip() if reason and "cli_logger.abort" in str(error) else _first(error)
        raise HarnessError(
            "no head of this cluster runs" if gone else f"Ray cannot use this file: {reason[:300]}",
            where=str(file),
            remedy=f"Start it, from this machine: ray up {file}" if gone else "See `harness cluster check`.",
        ) from error
    finally:
        command_runner.set_using_login_shells(login)
    return [written.command[0], *BATCH, *written.command[1:]]


def missing_ssh_error(file: Path) -> HarnessError:
    """ssh itself is missing."""
    return HarnessError(
        "there is no ssh on this machine", where=f"--cluster {file}", remedy="Install OpenSSH's client."
    )


def explain_ssh_failure(file: Path, said: str) -> HarnessError:
    """Why ssh ended, as an error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # That the key's file is missing is a warning of ssh, and the reason of what follows.
    missing = [line for line in lines if "not accessible" in line]
    reason = (missing or lines[-1:] or ["ssh ended without a word"])[0]
    if "Permission denied" in said or "UNPROTECTED" in said or "no such identity" in said.lower():
        return HarnessError(
            f"the head does not let you in: {reason}",
            where=f"{file}, auth",
            remedy="ssh_user and ssh_private_key have to be those of the cluster; a key with a passphrase needs "
            "an ssh-agent.",
        )
    return ClusterUnreachable(
        f"the head cannot be reached: {reason}",
        where=str(file),
        remedy="Is it on, and does a firewall let your address in? `ray up` starts it again.",
    )


def _is_network(error: BaseException) -> bool:
    """Whether a cloud's library could not reach its own address: a laptop without a network."""
    kinds: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError, socket.gaierror)
    with suppress(ImportError):
        from botocore.exceptions import ConnectionError as NoConnection
        from botocore.exceptions import HTTPClientError

        kinds += (NoConnection, HTTPClientError)
    return isinstance(error, kinds)


class _Written:
    """In place of the module subprocess: keeps the command line that Ray would run."""

    command: list[str]

    def check_output(self, command: list[str], **_: Any) -> bytes:
        self.command = command
        return b""


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
