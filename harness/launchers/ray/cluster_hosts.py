"""The hosts of a cluster: waiting until they are there, and whether all of them see checkpoints and store."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.io.storage_mark import ensure_mark, require_mark
from harness.launchers.resources import ACCELERATOR, describe_request, ray_bundle, workers_per_node
from harness.specs import Resources

CONNECT_SECONDS = 5
"""How long a head may take to accept a connection; Ray's own client tries for minutes."""
LOOK_SECONDS = 1.0
SAY_SECONDS = 30.0
"""A line at least so often, so that whoever waits sees that somebody does."""
TASK_SECONDS = 90


@dataclass(frozen=True)
class ClusterRequest:
    """What of a cluster is waited for.

    Attributes:
        hosts: How many, the head included; 0: whichever are there.
        seconds: How long.
        at_once: Most trials at once, also on hosts that an autoscaler starts for them; 0: as many as the hosts that are
            there take.
    """

    hosts: int = 0
    seconds: float = 0.0
    at_once: int = 0


def require_answer(
    address: str, wait: float = 0.0, say: Callable[[str], None] = lambda text: None, seconds: float = CONNECT_SECONDS
) -> None:
    """Refuse an address where nobody listens, or somebody other than Ray.

    Args:
        wait: Seconds for which it is tried again; ``say`` is told.
        seconds: How long an answer may take.

    Raises:
        HarnessError: It is so.
    """
    until, told = time.monotonic() + wait, False
    while True:
        try:
            return _require_answer(address, seconds)
        except HarnessError as error:
            if time.monotonic() >= until:
                raise
            if not told:
                say(f"{error.what} ({address}); waiting up to {wait:.0f} s ...")
                told = True
        time.sleep(LOOK_SECONDS)


def _require_answer(address: str, seconds: float) -> None:
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "0" and not _speaks_grpc(connection):
                raise HarnessError(
                    "something answers there, but not as Ray does",
                    where=f"--address {address}",
                    remedy="Ray's head listens at port 6379 (ray://HOST:10001, http://HOST:8265).",
                )
    except (OSError, OverflowError) as error:
        raise HarnessError(
            f"nobody answers there: {getattr(error, 'strerror', None) or error}",
            where=f"--address {address}",
            remedy="Ray's head listens at port 6379 (ray://HOST:10001, http://HOST:8265). Start one with `ray up`, or "
            "leave --address out to use this machine.",
        ) from error


def _speaks_grpc(connection: socket.socket) -> bool:
    """Whether the other side answers HTTP/2's greeting with its settings (RFC 9113, 3.4), as gRPC does at once."""
    settings = b"\x04"
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + settings + b"\0" * 5)
    try:
        return connection.recv(9)[3:4] == settings
    except OSError:
        return False


def wait_for_hosts(wanted: Resources, expected: ClusterRequest, say: Callable[[str], None]) -> int:
    """Wait for the hosts of the cluster that this process is connected to; how many trials they take at once.

    A host of an autoscaler is asked for where none takes a trial yet.

    Raises:
        HarnessError: They did not come in time, or all are there and none can ever take a trial.
    """
    until = time.monotonic() + expected.seconds
    said, again, asked = "", 0.0, False
    try:
        while True:
            alive = _alive()
            # Workers of one trial may lie on several hosts.
            room = sum(workers_per_node(wanted, node["Resources"]) for node in alive) // wanted.workers
            if len(alive) >= expected.hosts and room:
                return expected.at_once or room
            if len(alive) >= expected.hosts and not expected.at_once and (expected.hosts or not expected.seconds):
                raise _never(wanted, alive)
            if not room and not asked:
                asked = _ask(wanted)
            there = f"{len(alive)} of {expected.hosts} hosts" if expected.hosts else _count(len(alive))
            state = f"{there} there: {', '.join(_named(node) for node in alive)}"
            left = until - time.monotonic()
            if left <= 0:
                raise _missing(wanted, expected, alive, state)
            if state != said or time.monotonic() >= again:
                say(f"{state}; waiting up to {left:.0f} s for {_lacking(expected, len(alive), wanted)} ...")
                said, again = state, time.monotonic() + SAY_SECONDS
            time.sleep(LOOK_SECONDS)
    finally:
        if asked:
            # It would hold a host that nobody uses for as long as the cluster lives.
            _ask(None)


def require_shared(storage: Folder) -> None:
    """Make sure that every host sees the checkpoints: a trial of a dead one goes on from them elsewhere.

    A host that comes later finds out when it is to begin a trial, and the run ends there.

    Raises:
        HarnessError: A host does not.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    alive = _alive()
    if len(alive) < 2:
        return
    task, mark = ray.remote(num_cpus=0, max_retries=0)(_sees), ensure_mark(storage)
    asked = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)).remote(
            storage, mark
        )
        for node in alive
    ]
    for reference in ray.wait(asked, num_returns=len(asked), timeout=TASK_SECONDS)[0]:
        trouble = None
        # A host that died meanwhile tells nothing.
        with suppress(ray.exceptions.RayError):
            trouble = ray.get(reference)
        if trouble is not None:
            what, where, remedy = trouble
            raise HarnessError(what, where=where, remedy=remedy)


def require_server(uri: str) -> None:
    """Refuse a store in a file of this host, where trials run on others too.

    Raises:
        HarnessError: It is so.
    """
    if uri.startswith("sqlite:") and len(_alive()) > 1:
        raise HarnessError(
            "the store is a file of this host, and trials run on others too",
            where="--tracking-uri",
            remedy="Start an MLflow server that all hosts reach, and name it (or set MLFLOW_TRACKING_URI).",
        )


def _sees(storage: Folder, mark: str) -> tuple[str, str, str] | None:
    """On a host: None where it is this storage there, else what is wrong, where, and the remedy."""
    try:
        require_mark(storage, mark)
    except HarnessError as error:
        return error.what, error.where, error.remedy
    return None


def _alive() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def _ask(wanted: Resources | None) -> bool:
    """Ask the autoscaler for a host that takes a trial; None takes it back."""
    from ray.autoscaler.sdk import request_resources

    with suppress(Exception):
        # Without an autoscaler nobody hears of it.
        request_resources(bundles=[ray_bundle(wanted)] * wanted.workers if wanted else [])
    return True


def _never(wanted: Resources, alive: list[dict[str, Any]]) -> HarnessError:
    """A request that can never fit would wait for ever."""
    resources = [node["Resources"] for node in alive]
    has = {name: sum(node.get(name, 0) for node in resources) for name in ("CPU", "GPU")}
    kinds = sorted(name.removeprefix(ACCELERATOR) for node in resources for name in node if ACCELERATOR in name)
    room = sum(workers_per_node(wanted, node) for node in resources)
    return HarnessError(
        f"a trial asks for {describe_request(wanted)}; the cluster has {has['CPU']:g} CPUs and {has['GPU']:g} "
        f"GPUs{' of the kind ' * bool(kinds)}{', '.join(kinds)}, and room for {room} of {wanted.workers} workers",
        where="resources",
        remedy="Ask for less with --set resources.cpus=1, use a larger cluster, or --wait for an autoscaler.",
    )


def _missing(wanted: Resources, expected: ClusterRequest, alive: list[dict[str, Any]], state: str) -> HarnessError:
    return HarnessError(
        f"missing after {expected.seconds:.0f} s: {_lacking(expected, len(alive), wanted)} ({state})",
        where="--wait",
        remedy="`ray status` on the head and its monitor.log in /tmp/ray say why; wait longer with --wait 1h.",
    )


def _lacking(expected: ClusterRequest, there: int, wanted: Resources) -> str:
    if there < expected.hosts:
        return f"{_count(expected.hosts - there)} more"
    return f"room for {describe_request(wanted)}"


def _listed(cpus: float, gpus: float) -> str:
    return f"{cpus:g} CPU{'s' * (cpus != 1)}" + (f" and {gpus:g} GPUs" if gpus else "")


def _count(number: int) -> str:
    return f"{number} host{'s' * (number != 1)}"


def _named(node: dict[str, Any]) -> str:
    has = node["Resources"]
    return f"{node['NodeManagerHostname']} ({_listed(has.get('CPU', 0), has.get('GPU', 0))})"
