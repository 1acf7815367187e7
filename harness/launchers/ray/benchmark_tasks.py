"""Measure costs in Ray tasks, each of which reserves a whole GPU, or all cores of a node."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from harness.errors import HarnessError
from harness.launchers.base import Notify
from harness.launchers.benchmark import RunRequests
from harness.launchers.interleaved_processes import ProfilerResult, run_interleaved
from harness.launchers.ray.cluster_hosts import ClusterRequest, list_alive_nodes
from harness.launchers.ray.launcher import RayLauncher
from harness.launchers.resources import count_workers
from harness.specs import Resources
from harness.specs.measured_cost import CostSetting


@contextmanager
def start_benchmark(
    setting: CostSetting,
    address: str | None,
    accelerator: str | None = None,
    wait: float = 0.0,
    notify: Notify = lambda text: None,
) -> Iterator[RunRequests]:
    """Connect to a Ray cluster, and yield a function that runs requests on one of its nodes, always the same.

    Args:
        address: Address of the cluster; None starts a local one.
        accelerator: Kind of GPU, as Ray names it.
        wait: Seconds to wait for the cluster, and for a node that has the device.
        notify: Receives what is waited for.

    Raises:
        HarnessError: The cluster does not answer, or none of its nodes has the device.
    """
    is_gpu = setting.device != "cpu"
    if setting.device not in ("cpu", "cuda"):
        raise HarnessError(
            f"Ray chooses the GPU, so {setting.device} cannot be requested",
            where="--device",
            remedy="Use --device cuda, or --launcher inline.",
        )
    resources = Resources(
        cpus=1 if is_gpu else setting.threads, gpus=int(is_gpu), accelerator=accelerator if is_gpu else None
    )
    try:
        launcher = RayLauncher(resources, address, request=ClusterRequest(wait_seconds=wait), notify=notify)
    except HarnessError as error:
        if not error.where.startswith("resources."):
            raise
        where, remedy = "--launcher ray", "Use --device cpu." if is_gpu else "Use fewer --threads."
        if error.where == "resources.accelerator":
            where, remedy = "--accelerator", "Name a kind of GPU that the cluster has. Or use --device cpu."
        raise HarnessError(error.what, where=where, remedy=remedy) from error
    try:
        yield _run_on_largest_node(resources)
    finally:
        launcher.close()


def _run_on_largest_node(resources: Resources) -> RunRequests:
    """Return a function that runs requests on the node with most GPUs or CPUs, which has room for ``resources``."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    device = "GPU" if resources.gpus else "CPU"
    nodes = [node for node in list_alive_nodes() if count_workers(resources, node["Resources"])]
    largest = max(nodes, key=lambda node: node["Resources"].get(device, 0))
    task = ray.remote(
        num_cpus=0 if resources.gpus else math.floor(largest["Resources"]["CPU"]),
        num_gpus=resources.gpus,
        max_retries=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(largest["NodeID"], soft=False),
    )(run_interleaved)

    def run_requests(requests: Sequence[dict[str, Any]]) -> list[ProfilerResult]:
        try:
            results: list[ProfilerResult] = ray.get(task.remote(requests))
        except RayError as error:
            raise HarnessError(
                f"the task on Ray failed: {str(error).strip().rpartition(chr(10))[2]}",
                where="--launcher ray",
                remedy="Check that the node is alive and has depthbench installed, or use --launcher inline.",
            ) from error
        return results

    return run_requests
