"""The data sets by name, and where their files are.

To add a data set, write its :class:`DataSource` in :mod:`harness.data.sources` and enter it in :data:`DATA_SOURCES`.
"""

from __future__ import annotations

from pathlib import Path

from harness.data.image_folders import DEFAULT_IMAGE_SIZE, scan_image_folder
from harness.data.packed_file import fetch_packed, is_packed, read_packed_facts
from harness.data.sources import DataSource, cifar, digits, fashion_mnist
from harness.errors import HarnessError, suggest_nearest
from harness.io.atomic_files import make_directory
from harness.io.user_cache import cache_dir
from harness.settings.user_paths import resolve_path, working_directory
from harness.specs import DataSpec
from harness.text import one_line

DATA_SOURCES = {
    "digits": digits(),
    "fashion-mnist": fashion_mnist(),
    "cifar10": cifar(
        "CIFAR10", "cifar-10-batches-py", [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"]
    ),
    "cifar100": cifar("CIFAR100", "cifar-100-python", ["train", "test", "meta"]),
    "imagefolder": DataSource("the user's own images", lambda root: scan_image_folder(root).files, None),
}


def find_source(name: str) -> DataSource:
    """Return the source of a data set by its name.

    Raises:
        HarnessError: No data set has this name.
    """
    if name not in DATA_SOURCES:
        raise HarnessError(
            f"there is no data set '{name[:60]}'", where="data.name", remedy=suggest_nearest(name, DATA_SOURCES)
        )
    return DATA_SOURCES[name]


def locate_files(spec: DataSpec, download: bool = False) -> tuple[Path, list[Path]]:
    """Return the root and the files of a data set; for a packed file both are that file.

    Without ``spec.root`` the usual places are searched. A packed file at a URL is downloaded once per machine.

    Args:
        spec: The data set.
        download: Whether to download a public data set that is missing.

    Raises:
        HarnessError: The files are missing, unreadable, or of another data set.
    """
    source = find_source(spec.name)
    if spec.root is not None and is_packed(spec.root):
        path = fetch_packed(spec.root)
        _require_same_data_set(spec, path)
        return path, [path]
    roots = _roots_to_search(spec, source)
    if download and source.download is not None and not any(_list_complete(source, root, spec) for root in roots):
        target = roots[-1]
        make_directory(target)
        try:
            source.download(target)
        except Exception as error:
            raise HarnessError(
                f"{spec.name} could not be downloaded: {error}", where="--download", remedy="Give --data-root DIR."
            ) from error
    for root in roots:
        if files := _list_complete(source, root, spec):
            return root, files
    remedies = ["Give --data-root DIR"] + ["or --download"] * (source.download is not None)
    remedies += ["or install Debian's package dataset-fashion-mnist"] * (spec.name == "fashion-mnist")
    raise HarnessError(
        f"the files of {spec.name} were not found in {' or '.join(map(str, roots))}",
        where="data.root",
        remedy=", ".join(remedies) + ".",
    )


def _roots_to_search(spec: DataSpec, source: DataSource) -> list[Path]:
    """Return the declared root, or the usual directories of the data set; the last one is where downloads go."""
    if spec.root is None:
        if spec.name == "imagefolder":
            raise HarnessError("an imagefolder needs its directory", where="data.root", remedy="Give --data-root DIR.")
        return [*source.roots, cache_dir() / "data"]
    root = working_directory("data.root") / resolve_path(spec.root, "data.root, --data-root")
    if not root.exists():
        raise HarnessError("this directory does not exist", where=f"{root}, data.root", remedy="Check --data-root.")
    return [root]


def _list_complete(source: DataSource, root: Path, spec: DataSpec) -> list[Path]:
    """Return the files of a data set in a directory; none if one of them is missing."""
    try:
        return scan_image_folder(root, spec.layout).files if spec.name == "imagefolder" else source.list_files(root)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise HarnessError(
            f"this directory cannot be read: {error.strerror}",
            where=f"{root}, data.root",
            remedy="Check its permissions.",
        ) from error


def _require_same_data_set(spec: DataSpec, path: Path) -> None:
    """Raise where a packed file was made from another data set, or at another image size, than the spec declares."""
    facts = read_packed_facts(path)
    size = (spec.image_size or DEFAULT_IMAGE_SIZE) if spec.name == "imagefolder" else None
    if (facts["name"], facts["image_size"]) != (spec.name, size):
        packed_size = f" at {facts['image_size']} pixels" if facts["image_size"] else ""
        declared_size = f" at {size} pixels" if size else ""
        raise HarnessError(
            f"this file holds {one_line(facts['name'])}{packed_size}, not {spec.name}{declared_size}",
            where=f"{path}, data.root",
            remedy="Use the file that was packed from this data set.",
        )
