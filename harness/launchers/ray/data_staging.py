"""Data on a cluster: every node that may train has it, and the same, before a trial starts."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from harness.errors import HarnessError
from harness.launchers.resources import available_cores, workers_per_node
from harness.specs import DataSpec, Resources

SAY_SECONDS = 30.0
ATTEMPTS = 2
"""At a node whose task died."""


def stage_data(
    data: DataSpec, augment: str, resources: Resources, say: Callable[[str], None] = lambda text: None
) -> int:
    """Have each node that a trial fits on fetch its data, where that is at a URL, and hold it against the fingerprint.

    An image folder is decoded there, once for all trials. ``say`` is told now and then how far they are.

    Nodes that come later do the same when their first trial starts, which then fails alone.

    Returns:
        How many nodes have it.

    Raises:
        HarnessError: What is wrong, and on which nodes.
    """
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    tasks: dict[Any, dict[str, Any]] = {}
    for node in ray.nodes():
        if node["Alive"] and workers_per_node(resources, node["Resources"]):
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            # Data is no computation: it is fetched while all cores are taken.
            task = ray.remote(num_cpus=0, max_retries=ATTEMPTS - 1, scheduling_strategy=there)(check_node_data)
            tasks[task.remote(data, augment)] = node
    waiting = list(tasks)
    while waiting:
        _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=SAY_SECONDS)
        if waiting:
            say(f"the data is on {len(tasks) - len(waiting)} of {len(tasks)} nodes ...")
    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    wrong: list[tuple[str, Sequence[str]]] = []
    for task, node in tasks.items():
        try:
            error = ray.get(task)
        except RayError as lost:
            if node["NodeID"] not in alive:
                # Its trials go elsewhere.
                continue
            error = (f"the node's task failed: {str(lost).strip().rpartition(chr(10))[2]}", "", "")
        if error is not None:
            wrong.append((node["NodeManagerAddress"], error))
    if wrong:
        (_, (what, where, remedy)), addresses = wrong[0], ", ".join(address for address, _ in wrong)
        raise HarnessError(
            f"{len(wrong)} of {len(tasks)} nodes ({addresses}) do not have the experiment's data; of the first: {what}",
            where=where or "data.root",
            remedy=remedy,
        )
    return len(tasks)


def check_node_data(data: DataSpec, augment: str) -> tuple[str, str, str] | None:
    """On a node: None where it has that data, else what is wrong, where, and the remedy."""
    from harness.data.description import describe_data

    try:
        decode_once(describe_data(data)[1], augment)
    except HarnessError as error:
        host = socket.gethostname()
        return (error.what if host in error.what else f"{error.what} (on {host})", error.where, error.remedy)
    return None


def decode_once(data: DataSpec, augment: str, show: bool = False) -> None:
    """Decode an image folder on this machine before its trials start, so that no trial waits for it."""
    if data.name == "imagefolder":
        from harness.data.decode_cache import decoded_file

        decoded_file(data, augment, available_cores(), show)
