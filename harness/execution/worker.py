"""A worker of a trial that is not rank 0: it takes the same steps on its share, and is ended from outside.

As a program it reads what to do from its standard input, whose end tells it that rank 0 is gone.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import struct
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.execution.runner import TrialGroup

WorkerResult = dict[str, Any]
"""``{"host": ...}`` at the end of the trial; with ``error`` (what, where, remedy) or ``crash`` where it broke off."""
SIOCGIFADDR = 0x8915
"""Of Linux' netdevice(7): the address of a network interface."""


@dataclass(frozen=True)
class Rendezvous:
    """Where the workers of a trial meet.

    Attributes:
        file: On one machine; empty where they are on several, and meet at ``port``.
        address: Of rank 0's machine, in the network that the machines share.
    """

    file: str
    address: str
    port: int = 0


def meet(place: Rendezvous, workers: int, listens: bool = False) -> Any:
    """The store through which they find each other; their connections then go by the network that it is in.

    Args:
        listens: Whether this is rank 0, whose process holds what is not in a file.
    """
    import torch

    interface = interface_of(place.address if place.file else node()[1])
    if interface:
        # Of a host of several networks torch would take the one that its name leads to.
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = interface
    if place.file:
        return torch.distributed.FileStore(place.file, workers)  # type: ignore[attr-defined]
    return torch.distributed.TCPStore(  # type: ignore[attr-defined]
        place.address, place.port, workers, is_master=listens, wait_for_workers=False
    )


def node() -> tuple[str, str]:
    """(id, address) of the Ray node that this process runs on."""
    import ray

    return ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()


def interface_of(address: str) -> str:
    """The network interface of this machine that has an address; empty where none is known to."""
    with suppress(ImportError, OSError):
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for _, name in socket.if_nameindex():
                with suppress(OSError):
                    found = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                    if socket.inet_ntoa(found[20:24]) == address:
                        return name
    return ""


def train_along(job: TrialGroup, place: Rendezvous, rank: int) -> WorkerResult:
    """Train along with rank 0; what there is to say at the end."""
    from harness.data.loader import Shard
    from harness.training import Trainer
    from harness.training.distributed import process_group
    from harness.training.memory_errors import explain_oom

    host, workers = socket.gethostname(), job.resources.workers
    try:
        store = meet(place, workers)
        with process_group(Shard(rank, workers), store) as team, explain_oom(job.trial, job.size):
            training = Trainer(job.trial, job.execution, job.resources, team)
            state = team.share_state({}, training.device)
            if state:
                training.resume(state)
            for _ in training.run():
                pass
    except HarnessError as error:
        return {"host": host, "error": [error.what, error.where, error.remedy]}
    except Exception:
        return {"host": host, "crash": traceback.format_exc()}
    return {"host": host}


class Worker:
    """The same as an actor of Ray's."""

    def node(self) -> tuple[str, str]:
        """(id, address) of where it runs."""
        return node()

    def follow(self, job: TrialGroup, place: Rendezvous, rank: int) -> WorkerResult:
        """See :func:`follow`."""
        return train_along(job, place, rank)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    # Whatever else writes to standard output must not be taken for the answer.
    ours = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    request = pickle.load(sys.stdin.buffer)  # noqa: S301 (from the process that started this one)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(json.dumps(train_along(*request)), file=ours, flush=True)
    # Threads of a process group that broke off may never end.
    os._exit(0)
