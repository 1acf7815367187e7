"""The address of a Ray cluster: where it comes from, its form, and whether Ray listens there.

All of it is checked before Ray's own client tries for minutes.
"""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.launchers.base import Notify

OPTION, VARIABLE = "--address", "RAY_ADDRESS"
CONNECT_SECONDS = 5.0
"""How long the head of a cluster may take to accept a connection."""
RETRY_SECONDS = 1.0
"""Pause between two attempts to connect."""
HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:.%a-z]+\]|[^\s:/@\[\]]+):([0-9]+)", re.ASCII)


@dataclass(frozen=True)
class ClusterAddress:
    """The address of a cluster.

    Attributes:
        address: ``auto`` for a cluster that runs on this machine, else HOST:PORT.
        source: The option or the environment variable that the user has set.
        given: The value that the user has set, if it is another one: ``auto``.
    """

    address: str
    source: str = OPTION
    given: str = ""

    def error(self, what: str, remedy: str = "") -> HarnessError:
        """Return an error about this address; the remedy ends with how to do without a cluster."""
        is_option = self.source == OPTION
        away = "leave --address out" if is_option else "unset RAY_ADDRESS"
        return HarnessError(
            f"{what} ({self.address})" if self.given else what,
            where=f"{self.source}{' ' if is_option else '='}{self.given or self.address}",
            remedy=f"{remedy}{' ' * bool(remedy)}Or {away} to use this machine.",
        )


def find_address(option: str | None) -> ClusterAddress | None:
    """Return the address of the cluster to join; None for a local one. An empty RAY_ADDRESS is as good as none.

    Args:
        option: The value of ``--address``, if the user has given it. ``auto`` lets RAY_ADDRESS decide, as in Ray.

    Raises:
        HarnessError: The address has not the form of one.
    """
    variable = os.environ.get(VARIABLE, "").strip()
    address = ClusterAddress(option) if option is not None else None
    if variable and (address is None or address.address == "auto"):
        address = ClusterAddress(variable, VARIABLE)
    if address is None or address.address == "local":
        return None
    _require_form(address)
    return address


def _require_form(address: ClusterAddress) -> None:
    """Raise HarnessError if the address is neither ``auto`` nor HOST:PORT."""
    scheme, has_scheme, rest = address.address.partition("://")
    form = "Use HOST:6379, the address that `ray start --head` prints, or auto on a machine of the cluster."
    match = HOST_AND_PORT.fullmatch(address.address)
    if address.address == "auto" or (match and 0 < int(match[2]) < 2**16):
        return
    if not address.address:
        raise address.error("the address is empty", form)
    if has_scheme and scheme in ("http", "https"):
        raise address.error(
            "this is the address of a job server, to which only `harness run --address` can send a run", form
        )
    if has_scheme and scheme == "ray":
        host = rest.partition(":")[0] or "HOST"
        raise address.error(
            "runs do not go through the server of Ray Client (ray://)",
            f"On a machine of the cluster use {host}:6379. From elsewhere, send the run to the job server: "
            f"`harness run --address http://{host}:8265`.",
        )
    if match:
        raise address.error(f"there is no port {match[2]}; the largest is 65535", form)
    raise address.error("this is no address of a Ray cluster: HOST:PORT is expected", form)


def require_ray_at(
    address: ClusterAddress,
    wait: float = 0.0,
    notify: Notify = lambda text: None,
    timeout: float = CONNECT_SECONDS,
) -> None:
    """Check that Ray accepts connections at an address. ``auto`` is not checked.

    Args:
        wait: Seconds to try again if nothing answers.
        notify: Receives once that it waits.
        timeout: Seconds for one attempt to connect.

    Raises:
        HarnessError: No program answers at the address in time, or it is not Ray.
    """
    deadline, has_notified = time.monotonic() + wait, False
    while True:
        try:
            return _connect(address, timeout)
        except HarnessError as error:
            if time.monotonic() >= deadline:
                raise
            if not has_notified:
                notify(f"{error.what} ({address.address}); waiting up to {wait:.0f} s ...")
                has_notified = True
        time.sleep(RETRY_SECONDS)


def _connect(address: ClusterAddress, timeout: float) -> None:
    """Connect once; raise HarnessError if that fails or if the other side is not Ray."""
    host, colon, port = address.address.rpartition(":")
    if not colon:
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "0" and not _speaks_grpc(connection):
                raise address.error(
                    "the program that answers at this address is not Ray", "Ray's head listens at port 6379."
                )
    # UnicodeError: a part of the host's name that is empty or longer than 63 characters.
    except (OSError, UnicodeError) as error:
        raise address.error(
            f"no program answers at this address: {getattr(error, 'strerror', None) or error}",
            "Ray's head listens at port 6379; `ray up` starts a cluster.",
        ) from error


def _speaks_grpc(connection: socket.socket) -> bool:
    """Return whether the other side answers the HTTP/2 preface with its settings at once, as gRPC does.

    RFC 9113, section 3.4.
    """
    settings = b"\x04"
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + settings + b"\0" * 5)
    try:
        return connection.recv(9)[3:4] == settings
    except OSError:
        return False
