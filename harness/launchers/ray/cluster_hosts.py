"""The hosts of a cluster: list them, wait for them, and request one from an autoscaler."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.launchers.base import Notify
from harness.launchers.resources import ACCELERATOR_PREFIX, build_bundle, count_workers, describe_resources
from harness.specs import Resources

POLL_SECONDS = 1.0
"""Pause between two looks at the cluster."""
NOTIFY_SECONDS = 30.0
"""The user gets a line at least this often, as a sign that the command still waits."""


@dataclass(frozen=True)
class ClusterRequest:
    """The hosts that a run waits for.

    Attributes:
        hosts: The number of hosts, the head included; 0 for those that are up.
        wait_seconds: How long to wait for them.
        concurrent_trials: The number of trials to run at once, also on hosts that an autoscaler starts for them; 0 for
            as many as fit the hosts that are up.
    """

    hosts: int = 0
    wait_seconds: float = 0.0
    concurrent_trials: int = 0


def list_alive_nodes() -> list[dict[str, Any]]:
    """Return Ray's descriptions of the nodes that are alive."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def wait_for_hosts(resources: Resources, request: ClusterRequest, notify: Notify) -> int:
    """Wait for the hosts of the connected cluster, and return how many trials they run at once.

    If no host has room for a trial, an autoscaler is asked for one.

    Args:
        resources: What one trial needs.
        notify: Receives what is waited for.

    Raises:
        HarnessError: The hosts did not come in time, or all are up and none can ever run a trial.
    """
    deadline = time.monotonic() + request.wait_seconds
    last_state, notify_due, is_requested = "", 0.0, False
    try:
        while True:
            nodes = list_alive_nodes()
            # The workers of one trial may run on several hosts.
            room = sum(count_workers(resources, node["Resources"]) for node in nodes) // resources.workers
            if len(nodes) >= request.hosts and room:
                return request.concurrent_trials or room
            is_final = not request.concurrent_trials and (request.hosts or not request.wait_seconds)
            if len(nodes) >= request.hosts and is_final:
                raise _does_not_fit(resources, nodes)
            if not room and not is_requested:
                request_from_autoscaler(resources)
                is_requested = True
            state = _describe_nodes(nodes, request)
            remaining = deadline - time.monotonic()
            missing = _describe_missing(request, len(nodes), resources)
            if remaining <= 0:
                raise HarnessError(
                    f"missing after {request.wait_seconds:.0f} s: {missing} ({state})",
                    where="--wait",
                    remedy="`ray status` on the head, and monitor.log in /tmp/ray there, show the reason. Wait longer "
                    "with --wait 1h.",
                )
            if state != last_state or time.monotonic() >= notify_due:
                notify(f"{state}; waiting up to {remaining:.0f} s for {missing} ...")
                last_state, notify_due = state, time.monotonic() + NOTIFY_SECONDS
            time.sleep(POLL_SECONDS)
    finally:
        if is_requested:
            # Otherwise the cluster would keep a host for the request as long as it lives.
            request_from_autoscaler(None)


def request_from_autoscaler(resources: Resources | None) -> None:
    """Ask the cluster's autoscaler for room for one trial; None withdraws the request."""
    from ray.autoscaler.sdk import request_resources

    # A cluster without an autoscaler ignores the request.
    with suppress(Exception):
        request_resources(bundles=[build_bundle(resources)] * resources.workers if resources else [])


def _does_not_fit(resources: Resources, nodes: list[dict[str, Any]]) -> HarnessError:
    """Return the error for a trial that the cluster can never run, and that would otherwise wait for ever."""
    of_nodes = [node["Resources"] for node in nodes]
    total = {name: sum(node.get(name, 0) for node in of_nodes) for name in ("CPU", "GPU")}
    kinds = list_accelerators(of_nodes)
    room = sum(count_workers(resources, node) for node in of_nodes)
    field, remedy = find_obstacle(resources, of_nodes, room)
    return HarnessError(
        f"a trial needs {describe_resources(resources)}; the cluster has {total['CPU']:g} CPUs and {total['GPU']:g} "
        f"GPUs{' of the kind ' * bool(kinds)}{', '.join(kinds)}, and room for {room} of {resources.workers} workers",
        where=field,
        remedy=f"{remedy} Or use a larger cluster, or --wait for an autoscaler.",
    )


def list_accelerators(nodes: Iterable[Mapping[str, float]]) -> list[str]:
    """Return the kinds of GPU of all nodes, as Ray names them.

    Args:
        nodes: The resources of each node, by the names that Ray gives them.
    """
    names = {name for node in nodes for name in node if name.startswith(ACCELERATOR_PREFIX)}
    return sorted(name.removeprefix(ACCELERATOR_PREFIX) for name in names)


def find_obstacle(resources: Resources, nodes: Sequence[Mapping[str, float]], room: int) -> tuple[str, str]:
    """Return the field of the resources because of which a trial does not fit, and the remedy.

    Args:
        nodes: The resources of each node.
        room: The number of workers that fit.
    """
    if room:
        return "resources.workers", f"Use at most {room}: --set resources.workers={room}."
    if resources.accelerator is not None and resources.accelerator not in (kinds := list_accelerators(nodes)):
        kind = f"--set resources.accelerator={kinds[0]}" if kinds else "--set resources.accelerator=null"
        return "resources.accelerator", f"No node has this kind of GPU. Use {kind}."
    gpus = max((node.get("GPU", 0) for node in nodes), default=0)
    if resources.gpus > gpus:
        return "resources.gpus", f"A node has at most {gpus:g} GPUs: --set resources.gpus={gpus:g}."
    cpus = max((node.get("CPU", 0) for node in nodes), default=0)
    if resources.cpus > cpus:
        return "resources.cpus", f"A node has at most {cpus:g} CPUs: --set resources.cpus={max(int(cpus), 1)}."
    # Each is there, but on different nodes.
    with_gpu = max(
        (node.get("CPU", 0) for node in nodes if count_workers(resources, {**node, "CPU": resources.cpus})), default=0
    )
    return (
        "resources.cpus",
        f"A node with such a GPU has {with_gpu:g} CPUs: --set resources.cpus={max(int(with_gpu), 1)}.",
    )


def _describe_missing(request: ClusterRequest, nodes: int, resources: Resources) -> str:
    if nodes < request.hosts:
        return f"{_count_hosts(request.hosts - nodes)} more"
    return f"room for {describe_resources(resources)}"


def _describe_nodes(nodes: list[dict[str, Any]], request: ClusterRequest) -> str:
    """Return how many hosts are up, with their names and devices."""
    number = f"{len(nodes)} of {_count_hosts(request.hosts)}" if request.hosts else _count_hosts(len(nodes))
    return f"{number} up: {', '.join(map(_describe_node, nodes))}"


def _describe_node(node: dict[str, Any]) -> str:
    cpus, gpus = (node["Resources"].get(device, 0) for device in ("CPU", "GPU"))
    devices = f"{cpus:g} CPU{'s' * (cpus != 1)}" + (f" and {gpus:g} GPUs" if gpus else "")
    return f"{node['NodeManagerHostname']} ({devices})"


def _count_hosts(number: int) -> str:
    return f"{number} host{'s' * (number != 1)}"
