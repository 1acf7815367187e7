"""The public data sets, read from files of their real formats."""

import gzip
import pickle

import numpy as np
import pytest
import torch

from harness.data.description import describe_data
from harness.data.sources import DEBIAN_FASHION_MNIST, read_idx
from harness.data.splits import load_splits
from harness.errors import HarnessError
from harness.specs import DataSpec


def test_digits_have_their_published_sizes_and_fingerprint():
    info, spec = describe_data(DataSpec(name="digits"))
    assert (info.train, info.val, info.test) == (1437, 0, 360)
    assert (info.channels, info.size, info.classes) == (1, (8, 8), 10)
    assert info.fingerprint == spec.fingerprint == "4762797d5258adf1"
    assert info.chance_error == 90


@pytest.mark.skipif(not DEBIAN_FASHION_MNIST.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_read_from_debian_s_package():
    info, spec = describe_data(DataSpec(name="fashion-mnist", train_images=500))
    assert (info.train, info.test, info.size) == (500, 10_000, (28, 28))
    assert torch.bincount(load_splits(spec).train.labels).tolist() == [50] * 10


@pytest.fixture
def cifar10_files(tmp_path):
    """Small files of CIFAR-10's format, whose checksums are not the published ones."""
    from torchvision.datasets import CIFAR10

    rng = np.random.default_rng(0)
    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        content = {"data": rng.integers(0, 256, (20, 3072), dtype=np.uint8), "labels": list(range(10)) * 2}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    return DataSpec(name="cifar10", root=str(tmp_path))


def test_cifar10_is_read_from_torchvision_s_files(cifar10_files, monkeypatch):
    """torchvision's check of the MD5 is left out."""
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    info, spec = describe_data(cifar10_files)
    assert (info.train, info.test, info.channels, info.size) == (100, 20, 3, (32, 32))
    assert load_splits(spec).train.images.shape == (100, 3, 32, 32)


def test_cifar10_files_with_another_checksum_are_refused(cifar10_files):
    with pytest.raises(HarnessError, match="not the published files"):
        describe_data(cifar10_files)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_read_idx_reads_plain_and_gzipped_files(tmp_path, compress):
    content = b"\0\0\x08\x02" + (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes(range(6))
    path = tmp_path / ("images" if compress is bytes else "images.gz")
    path.write_bytes(compress(content))
    assert read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]
