"""The rendezvous at which the workers of one trial connect, and the network interface that they use."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

SIOCGIFADDR = 0x8915
"""The request for the address of a network interface; Linux, netdevice(7)."""


@dataclass(frozen=True)
class Rendezvous:
    """The place at which the workers of a trial connect: a file, or an address with a port.

    Attributes:
        file: A file, if all workers run on one machine; else empty.
        address: The address of rank 0's machine, in the network that the machines share.
        port: The port of rank 0's store, if the workers run on several machines.
    """

    file: str
    address: str
    port: int = 0


def connect_store(rendezvous: Rendezvous, workers: int, is_rank0: bool = False, own_address: str = "") -> Any:
    """Return torch's store at the rendezvous, and set the network interface through which torch connects workers.

    Args:
        workers: The number of workers of the trial.
        is_rank0: Whether this process is rank 0, which then also serves a store that is not in a file.
        own_address: The address of this machine in the network that the machines share; not needed with a file.
    """
    import torch

    interface = find_interface(rendezvous.address if rendezvous.file else own_address)
    if interface:
        # On a host with several networks torch would use the one that the host's name resolves to.
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = interface
    if rendezvous.file:
        return torch.distributed.FileStore(rendezvous.file, workers)  # type: ignore[attr-defined]
    return torch.distributed.TCPStore(  # type: ignore[attr-defined]
        rendezvous.address, rendezvous.port, workers, is_master=is_rank0, wait_for_workers=False
    )


def find_interface(address: str) -> str:
    """Return the name of this machine's network interface with this address; empty if none can be found."""
    with suppress(ImportError, OSError):
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for _, name in socket.if_nameindex():
                with suppress(OSError):
                    request = struct.pack("256s", name.encode()[:15])
                    response = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, request)
                    if socket.inet_ntoa(response[20:24]) == address:
                        return name
    return ""
