"""Data on every node of a cluster, with the same content."""

import gzip
import shutil

import numpy as np
import pytest

from harness.data.description import describe_data
from harness.data.sources import DEBIAN_FASHION_MNIST
from harness.errors import HarnessError
from harness.launchers.ray.data_staging import stage_data
from harness.specs import DataSpec, Resources

pytestmark = pytest.mark.slow


def write_fashion_mnist(cache):
    """Write 40 random images in the data set's own format."""
    rng = np.random.default_rng(0)
    raw = cache / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    labels = np.repeat(np.arange(10, dtype=np.uint8), 2)
    for split in ("train", "t10k"):
        images = rng.integers(0, 256, (20, 28, 28), np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (raw / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture
def data(cluster):
    """Return a data set that each node has in its own cache, and whose root is the first node's."""
    for cache in cluster.caches:
        write_fashion_mnist(cache)
    yield describe_data(DataSpec(name="fashion-mnist", root=str(cluster.caches[0] / "data")))[1]
    for cache in cluster.caches:
        shutil.rmtree(cache / "data", ignore_errors=True)


def test_stage_data_counts_the_nodes_with_room_for_a_trial(data):
    assert stage_data(data, "none", Resources()) == 2
    assert stage_data(data, "none", Resources(gpus=1, accelerator="T4")) == 1


def test_stage_data_with_other_content_than_declared_names_the_nodes(data):
    with pytest.raises(HarnessError, match=r"2 of 2 nodes \(.*\) do not have .* 0000"):
        stage_data(data.model_copy(update={"fingerprint": "0000"}), "none", Resources())


@pytest.mark.skipif(DEBIAN_FASHION_MNIST.is_dir(), reason="both nodes find the data set of this machine's own package")
def test_stage_data_that_one_node_lacks_names_that_node(data, cluster):
    in_each_cache = data.model_copy(update={"root": None})
    assert stage_data(in_each_cache, "none", Resources()) == 2
    shutil.rmtree(cluster.caches[1] / "data")
    with pytest.raises(HarnessError, match=r"1 of 2 nodes \(.*\) do not have"):
        stage_data(in_each_cache, "none", Resources())
