"""Check that Ray listens at the address of a cluster, before Ray's own client tries for minutes."""

from __future__ import annotations

import os
import socket
import time

from harness.errors import HarnessError
from harness.launchers.base import Notify

CONNECT_SECONDS = 5.0
"""How long the head of a cluster may take to accept a connection."""
RETRY_SECONDS = 1.0
"""Pause between two attempts to connect."""


def require_ray_at(
    address: str, wait: float = 0.0, notify: Notify = lambda text: None, timeout: float = CONNECT_SECONDS
) -> None:
    """Check that Ray accepts connections at an address. Addresses without a port, such as ``auto``, are not checked.

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
                notify(f"{error.what} ({address}); waiting up to {wait:.0f} s ...")
                has_notified = True
        time.sleep(RETRY_SECONDS)


def _connect(address: str, timeout: float) -> None:
    """Connect once; raise HarnessError if that fails or if the other side is not Ray."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "0" and not _speaks_grpc(connection):
                raise HarnessError(
                    "the program that answers at this address is not Ray",
                    where=f"--address {address}",
                    remedy="Ray's head listens at port 6379 (ray://HOST:10001, http://HOST:8265).",
                )
    except (OSError, OverflowError) as error:
        raise HarnessError(
            f"no program answers at this address: {getattr(error, 'strerror', None) or error}",
            where=f"--address {address}",
            remedy="Ray's head listens at port 6379 (ray://HOST:10001, http://HOST:8265). Start a cluster with "
            "`ray up`, or leave --address out to use this machine.",
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
