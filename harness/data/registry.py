"""Where data sets come from: each is one :class:`Source` in :data:`SOURCES`.

To add a data set, write its ``files`` and ``load`` and enter it here; everything else follows. Arrays are
uint8 images (N, C, H, W) and int64 labels (N,). torch and torchvision are imported only where one needs them.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.packed_file import is_packed, local_copy, read_facts
from harness.errors import HarnessError, suggest_nearest
from harness.io.user_cache import cache_dir
from harness.specs import DataSpec
from harness.text import one_line

Arrays = tuple[np.ndarray, np.ndarray]
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
DEFAULT_IMAGE_SIZE = 64
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True)
class Source:
    """How one data set is found and read.

    Attributes:
        files: ``root -> files`` that make it up, for the fingerprint's cache; raises where they are missing.
        load: ``files -> (training arrays, test arrays or None)``.
        download: Fetches it into a root, where the data set has a home on the network.
        places: Roots to look at besides the user's own.
        origin: Who made it.
    """

    origin: str
    files: Callable[[Path], list[Path]]
    load: Callable[[list[Path]], tuple[Arrays, Arrays | None]] | None
    download: Callable[[Path], Any] | None = None
    places: tuple[Path, ...] = ()


def _require(root: Path, names: list[str]) -> list[Path]:
    """The files of those relative names below ``root``, each as it is or gzipped."""
    found = []
    for name in names:
        here = next((path for path in (root / name, root / f"{name}.gz") if path.is_file()), None)
        if here is None:
            raise FileNotFoundError(root / name)
        found.append(here)
    return found


# --- digits: shipped inside scikit-learn -----------------------------------------------------------------------


def _digits_files(root: Path) -> list[Path]:
    package = find_spec("sklearn")
    assert package is not None and package.origin is not None
    return _require(Path(package.origin).parent / "datasets" / "data", ["digits.csv"])


def _digits(files: list[Path]) -> tuple[Arrays, None]:
    table = np.loadtxt(files[0], delimiter=",", dtype=np.int64)
    # 17 grey levels, 0 to 16, spread over a byte.
    images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return (images, table[:, 64]), None


# --- Fashion-MNIST: IDX files, from Debian's package or torchvision --------------------------------------------

IDX = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def _fashion_mnist_files(root: Path) -> list[Path]:
    raw = root / "FashionMNIST" / "raw"
    return _require(raw if raw.is_dir() else root, IDX)


def _read_idx(path: Path) -> np.ndarray:
    """The IDX format: two zero bytes, a type, the number of dimensions, each dimension, then bytes."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _fashion_mnist(files: list[Path]) -> tuple[Arrays, Arrays]:
    images, labels, test_images, test_labels = map(_read_idx, files)
    return (
        (images[:, None], labels.astype(np.int64)),
        (test_images[:, None], test_labels.astype(np.int64)),
    )


def _download(name: str) -> Callable[[Path], Any]:
    def fetch(root: Path) -> None:
        import torchvision.datasets

        getattr(torchvision.datasets, name)(root, download=True)

    return fetch


# --- CIFAR: torchvision's reader on the python version's pickles -----------------------------------------------


def _cifar(name: str, folder: str, files: list[str]) -> Source:
    def load(paths: list[Path]) -> tuple[Arrays, Arrays]:
        import torchvision.datasets

        splits = []
        for train in (True, False):
            # torchvision checks the files' MD5 before it unpickles them.
            try:
                data = getattr(torchvision.datasets, name)(paths[0].parents[1], train=train)
            except RuntimeError as error:
                raise HarnessError(
                    "these are not the files that were published: their checksums differ",
                    where=f"{paths[0].parent}, data.root",
                    remedy="Fetch them again with --download.",
                ) from error
            splits.append((data.data.transpose(0, 3, 1, 2).copy(), np.asarray(data.targets, np.int64)))
        return splits[0], splits[1]

    return Source(
        "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        lambda root: _require(root / folder, files),
        load,
        _download(name),
    )


# --- imagefolder: any directory tree of images -----------------------------------------------------------------


@dataclass(frozen=True)
class Tree:
    """An image folder: class names, and (file, label) of each image, training and test apart if it has both."""

    classes: list[str]
    train: list[tuple[Path, int]]
    test: list[tuple[Path, int]] | None


def scan_tree(root: Path) -> Tree:
    """``root/class/image``, or ``root/train/class/image`` with ``root/val`` or ``root/test`` beside it.

    Raises:
        HarnessError: Fewer than two classes, or no images in one.
    """
    train_dir = root / "train" if (root / "train").is_dir() else root
    test_dir = next((root / name for name in ("test", "val") if (root / name).is_dir()), None)
    classes = _classes(
        train_dir,
        "data.root",
        "Lay it out as ROOT/<class>/<image>, or ROOT/train/<class>/<image> and ROOT/val/<class>/<image>.",
    )
    if test_dir is not None and train_dir != root:
        extra = sorted({p.name for p in test_dir.iterdir() if p.is_dir()} - set(classes))
        if extra:
            raise HarnessError(
                f"holds the class '{extra[0]}', which {train_dir.name}/ does not have",
                where=f"{test_dir}, data.root",
                remedy="Give both parts the same class folders.",
            )
    trees = [_images(train_dir, classes)]
    if test_dir is not None and train_dir != root:
        trees.append(_images(test_dir, classes))
    return Tree(classes, trees[0], trees[1] if len(trees) > 1 else None)


def _classes(folder: Path, option: str, remedy: str) -> list[str]:
    """Names of the class folders in their order.

    Raises:
        HarnessError: There are fewer than two.
    """
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise HarnessError(
            f"holds {len(classes) or 'no'} class folder{'s' * (len(classes) != 1)}; at least two are needed",
            where=f"{folder}, {option}",
            remedy=remedy,
        )
    return classes


def _images(folder: Path, classes: list[str]) -> list[tuple[Path, int]]:
    found = []
    for label, name in enumerate(classes):
        files = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
        if not files:
            raise HarnessError(
                f"the class folder '{name}' holds no images",
                where=f"{folder}, data.root",
                remedy=f"Put images into it ({', '.join(IMAGE_SUFFIXES[:4])}, ...), or remove it.",
            )
        found += [(file, label) for file in files]
    return found


def evaluation_files(root: Path) -> tuple[list[str], list[tuple[Path, int]]]:
    """(classes, (path, label) of each image) of ``root/val``, ``root/test`` or ``root`` itself, classes in their order.

    Raises:
        HarnessError: There is no such directory, fewer than two classes, or no images in one.
    """
    folder = next((root / part for part in ("val", "test") if (root / part).is_dir()), root)
    if not folder.is_dir():
        raise HarnessError("there is no such directory", where=f"{folder}, --data-root", remedy="Check --data-root.")
    classes = _classes(folder, "--data-root", "Lay it out as ROOT/val/<class>/<image>.")
    return classes, _images(folder, classes)


def _tree_files(root: Path) -> list[Path]:
    tree = scan_tree(root)
    return [path for path, _ in [*tree.train, *(tree.test or [])]]


SOURCES = {
    "digits": Source(
        "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (UCI), as in scikit-learn",
        _digits_files,
        _digits,
        places=(Path(),),
    ),
    "fashion-mnist": Source(
        "Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747 (MIT licence)",
        _fashion_mnist_files,
        _fashion_mnist,
        _download("FashionMNIST"),
        places=(DEBIAN_FASHION_MNIST,),
    ),
    "cifar10": _cifar(
        "CIFAR10", "cifar-10-batches-py", [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"]
    ),
    "cifar100": _cifar("CIFAR100", "cifar-100-python", ["train", "test", "meta"]),
    "imagefolder": Source("the user's own images", _tree_files, None),
}


def source(name: str) -> Source:
    """A data set's source by name.

    Raises:
        HarnessError: There is none of that name.
    """
    if name not in SOURCES:
        raise HarnessError(f"there is no data set '{name[:60]}'", where="data.name", remedy=suggest_nearest(name, SOURCES))
    return SOURCES[name]


def locate(spec: DataSpec, download: bool = False) -> tuple[Path, list[Path]]:
    """(root, files) of a data set: at its root where one is given, else where it usually lies.

    A packed file is both; one at a URL is fetched first.

    Raises:
        HarnessError: It is not there; nothing is downloaded unless asked.
    """
    kind = source(spec.name)
    cache = cache_dir() / "data"
    if spec.root is not None and is_packed(spec.root):
        path = local_copy(spec.root)
        _require_packed(spec, path)
        return path, [path]
    if spec.root is not None:
        try:
            roots = [Path(spec.root).expanduser().absolute()]
            there = roots[0].exists()
        except (OSError, RuntimeError) as error:
            # A name that is too long, a directory above it that may not be read, a ~user that does not exist.
            reason = error.strerror if isinstance(error, OSError) else error
            raise HarnessError(
                f"'{spec.root[:60]}' cannot be looked at: {reason}", where="data.root", remedy="Check --data-root."
            ) from error
        if not there:
            raise HarnessError(
                "there is no such directory", where=f"{roots[0]}, data.root", remedy="Check --data-root."
            )
    elif spec.name == "imagefolder":
        raise HarnessError("an imagefolder needs its directory", where="data.root", remedy="Give --data-root DIR.")
    else:
        roots = [*kind.places, cache]
    if download and kind.download is not None and not any(_complete(kind, root) for root in roots):
        target = roots[-1]
        target.mkdir(parents=True, exist_ok=True)
        try:
            kind.download(target)
        except Exception as error:
            raise HarnessError(
                f"{spec.name} could not be downloaded: {error}", where="--download", remedy="Give --data-root DIR."
            ) from error
    for root in roots:
        if _complete(kind, root):
            return root, kind.files(root)
    hints = ["Give --data-root DIR"] + ["or --download"] * (kind.download is not None)
    hints += ["or install Debian's package dataset-fashion-mnist"] * (spec.name == "fashion-mnist")
    raise HarnessError(
        f"{spec.name} is not at hand (looked in {', '.join(map(str, roots))})",
        where="data.root",
        remedy=", ".join(hints) + ".",
    )


def _complete(kind: Source, root: Path) -> bool:
    try:
        return bool(kind.files(root))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise HarnessError(
            f"cannot be read: {error.strerror}", where=f"{root}, data.root", remedy="Check its permissions."
        ) from error


def _require_packed(spec: DataSpec, path: Path) -> None:
    about = read_facts(path)
    size = (spec.image_size or DEFAULT_IMAGE_SIZE) if spec.name == "imagefolder" else None
    if (about["name"], about["image_size"]) != (spec.name, size):
        side = f" at {about['image_size']} pixels" if about["image_size"] else ""
        raise HarnessError(
            f"it holds {one_line(about['name'])}{side}, not {spec.name}{f' at {size} pixels' if size else ''}",
            where=f"{path}, data.root",
            remedy="Use the file that was packed from this data set.",
        )
