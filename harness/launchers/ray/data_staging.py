"""Prepare the data on every node of a cluster, and check it there, before a trial starts."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from harness.errors import HarnessError
from harness.launchers.base import Notify
from harness.launchers.ray.cluster_hosts import list_alive_nodes
from harness.launchers.resources import count_cores, count_workers
from harness.specs import DataSpec, Resources

NOTIFY_SECONDS = 30.0
ATTEMPTS = 2
"""How often a node's task is started if its process dies."""

NodeError = tuple[str, str, str]
"""(what, where, remedy) of an error on a node."""


def stage_data(data: DataSpec, augment: str, resources: Resources, notify: Notify = lambda text: None) -> int:
    """Prepare the data on each node that has room for a trial, and return the number of these nodes.

    Each node fetches data at a URL, decodes an image folder once for all trials, and compares the content with the
    fingerprint. A node that joins later does the same when its first trial starts. If it fails there, only that trial
    fails.

    Args:
        notify: Receives every 30 seconds how many nodes are ready.

    Raises:
        HarnessError: Nodes without the data, and the error of the first of them.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    tasks: dict[Any, dict[str, Any]] = {}
    for node in list_alive_nodes():
        if count_workers(resources, node["Resources"]):
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            # No CPU is reserved: the data is fetched even if trials use all of them.
            task = ray.remote(num_cpus=0, max_retries=ATTEMPTS - 1, scheduling_strategy=strategy)(check_node_data)
            tasks[task.remote(data, augment)] = node
    pending = list(tasks)
    while pending:
        _, pending = ray.wait(pending, num_returns=len(pending), timeout=NOTIFY_SECONDS)
        if pending:
            notify(f"the data is on {len(tasks) - len(pending)} of {len(tasks)} nodes ...")
    errors = _collect_errors(tasks)
    if errors:
        (_, (what, where, remedy)), addresses = errors[0], ", ".join(address for address, _ in errors)
        raise HarnessError(
            f"{len(errors)} of {len(tasks)} nodes ({addresses}) do not have the experiment's data. The first: {what}",
            where=where or "data.root",
            remedy=remedy,
        )
    return len(tasks)


def _collect_errors(tasks: dict[Any, dict[str, Any]]) -> Sequence[tuple[str, NodeError]]:
    """Return the address and the error of each node without the data. A node that has died is left out."""
    import ray
    from ray.exceptions import RayError

    alive = {node["NodeID"] for node in list_alive_nodes()}
    errors: list[tuple[str, NodeError]] = []
    for task, node in tasks.items():
        try:
            error = ray.get(task)
        except RayError as failure:
            if node["NodeID"] not in alive:
                # Its trials will run on other nodes.
                continue
            error = (f"the node's task failed: {str(failure).strip().rpartition(chr(10))[2]}", "", "")
        if error is not None:
            errors.append((node["NodeManagerAddress"], error))
    return errors


def check_node_data(data: DataSpec, augment: str) -> NodeError | None:
    """On a node: prepare and check the data; return None if it is complete, else the error."""
    from harness.data.description import describe_data

    try:
        decode_once(describe_data(data)[1], augment)
    except HarnessError as error:
        host = socket.gethostname()
        return (error.what if host in error.what else f"{error.what} (on {host})", error.where, error.remedy)
    return None


def decode_once(data: DataSpec, augment: str, show_progress: bool = False) -> None:
    """Decode an image folder on this machine before its trials start, so that no trial has to wait for it."""
    if data.name == "imagefolder":
        from harness.data.decode_cache import find_or_decode

        find_or_decode(data, augment, count_cores(), show_progress)
