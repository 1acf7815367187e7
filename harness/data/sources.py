"""Readers and downloads of the public data sets. torchvision is imported only where it reads or downloads one."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.arrays import Arrays, TrainTestArrays
from harness.errors import HarnessError

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True)
class DataSource:
    """The source of one data set: where its files are, and the functions that read and download them.

    Attributes:
        origin: Who published it, and where.
        list_files: Maps a root directory to the files of the data set; raises FileNotFoundError where one is missing.
        read: Maps these files to arrays; None for image folders, whose images are decoded one by one.
        download: Downloads the data set into a root directory; None where that is not possible.
        roots: Directories to search besides the user's cache.
    """

    origin: str
    list_files: Callable[[Path], list[Path]]
    read: Callable[[list[Path]], TrainTestArrays] | None
    download: Callable[[Path], Any] | None = None
    roots: tuple[Path, ...] = ()


def digits() -> DataSource:
    """Return the source of the digits that scikit-learn ships."""
    return DataSource(
        "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (UCI), as in scikit-learn",
        _list_digits_files,
        _read_digits,
        roots=(Path(),),
    )


def fashion_mnist() -> DataSource:
    """Return the source of Fashion-MNIST: IDX files of Debian's package, or downloaded by torchvision."""
    return DataSource(
        "Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747 (MIT licence)",
        _list_fashion_mnist_files,
        _read_fashion_mnist,
        _torchvision_download("FashionMNIST"),
        roots=(DEBIAN_FASHION_MNIST,),
    )


def cifar(name: str, folder: str, files: list[str]) -> DataSource:
    """Return the source of CIFAR10 or CIFAR100: the published pickles, read by torchvision.

    Args:
        name: The class of torchvision.datasets.
        folder: The directory of the files below the root.
        files: The names of the files in it.
    """

    def read(paths: list[Path]) -> TrainTestArrays:
        import torchvision.datasets

        splits: list[Arrays] = []
        for train in (True, False):
            try:
                # torchvision compares the MD5 of the files before it unpickles them.
                split = getattr(torchvision.datasets, name)(paths[0].parents[1], train=train)
            except RuntimeError as error:
                raise HarnessError(
                    "these are not the published files: their checksums differ",
                    where=f"{paths[0].parent}, data.root",
                    remedy="Download them again with --download.",
                ) from error
            splits.append((split.data.transpose(0, 3, 1, 2).copy(), np.asarray(split.targets, np.int64)))
        return splits[0], splits[1]

    return DataSource(
        "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        lambda root: _require_files(root / folder, files),
        read,
        _torchvision_download(name),
    )


def read_idx(path: Path) -> np.ndarray:
    """Return the array of a file in the IDX format, which may be gzipped.

    The format: two zero bytes, the type, the number of dimensions, each dimension as a 32-bit integer, the values.
    """
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _require_files(root: Path, names: list[str]) -> list[Path]:
    """Return the files with these names below ``root``, each as it is or gzipped."""
    files = []
    for name in names:
        file = next((path for path in (root / name, root / f"{name}.gz") if path.is_file()), None)
        if file is None:
            raise FileNotFoundError(root / name)
        files.append(file)
    return files


def _torchvision_download(name: str) -> Callable[[Path], Any]:
    def download(root: Path) -> None:
        import torchvision.datasets

        getattr(torchvision.datasets, name)(root, download=True)

    return download


def _list_digits_files(root: Path) -> list[Path]:
    package = find_spec("sklearn")
    assert package is not None and package.origin is not None
    return _require_files(Path(package.origin).parent / "datasets" / "data", ["digits.csv"])


def _read_digits(files: list[Path]) -> TrainTestArrays:
    table = np.loadtxt(files[0], delimiter=",", dtype=np.int64)
    # 17 grey levels, from 0 to 16, are scaled to the range of a byte.
    images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return (images, table[:, 64]), None


def _list_fashion_mnist_files(root: Path) -> list[Path]:
    raw = root / "FashionMNIST" / "raw"
    return _require_files(
        raw if raw.is_dir() else root,
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
    )


def _read_fashion_mnist(files: list[Path]) -> TrainTestArrays:
    images, labels, test_images, test_labels = map(read_idx, files)
    return (images[:, None], labels.astype(np.int64)), (test_images[:, None], test_labels.astype(np.int64))
