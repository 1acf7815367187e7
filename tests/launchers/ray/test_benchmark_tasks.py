"""Costs measured in a Ray task on a node that has the device."""

import pytest

from harness.errors import HarnessError
from harness.launchers.ray.benchmark_tasks import start_benchmark
from harness.specs.measured_cost import CostSetting

pytestmark = pytest.mark.slow
ON_GPU = CostSetting(device="cuda", size=(8, 8))


def test_start_benchmark_on_a_kind_of_gpu_that_no_node_has_is_refused(cluster):
    with pytest.raises(HarnessError, match="of the kind H200"), start_benchmark(ON_GPU, cluster.address, "H200"):
        pass


def test_start_benchmark_runs_requests_on_the_node_with_that_kind_of_gpu(cluster):
    """The node only claims to have a GPU, so the request names no variant, and its process reports that."""
    request = {"variant": {}, "setting": {"threads": 1, "compile": False}, "seconds": 0, "turns": 1}
    with start_benchmark(ON_GPU, cluster.address, "T4") as run_requests:
        (result,) = run_requests([request])
    assert "crash" in result
