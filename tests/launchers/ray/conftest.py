"""A Ray cluster of two nodes on this machine, which all tests of this folder share."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class TwoNodes:
    """The shared cluster.

    Attributes:
        address: The address of its head.
        caches: The cache directory of each node.
    """

    address: str
    caches: list[Path]


@pytest.fixture(scope="session")
def two_nodes(tmp_path_factory):
    """Start nodes of one core each, so that a trial of two workers needs both. The second one claims to have a T4."""
    from ray.cluster_utils import Cluster

    caches = [tmp_path_factory.mktemp(name) for name in ("first-node", "second-node")]
    cluster = Cluster()
    for number, cache in enumerate(caches):
        cluster.add_node(
            num_cpus=1,
            num_gpus=number,
            include_dashboard=False,
            object_store_memory=80 * 2**20,
            resources={"accelerator_type:T4": 1} if number else {},
            env_vars={"DEPTHBENCH_CACHE": str(cache), "PYTHONPATH": os.environ.get("PYTHONPATH", str(Path.cwd()))},
        )
    yield TwoNodes(cluster.address, caches)
    cluster.shutdown()


@pytest.fixture
def cluster(two_nodes):
    """Connect this process to the shared cluster."""
    import ray

    ray.init(address=two_nodes.address, log_to_driver=False)
    try:
        yield two_nodes
    finally:
        ray.shutdown()
