"""The description of a data set: its fingerprint, image shape and split sizes, cached for planning."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from harness.data.arrays import DataFacts, compute_facts
from harness.data.image_folders import DEFAULT_IMAGE_SIZE, scan_image_folder
from harness.data.packed_file import is_packed, read_packed_arrays, read_packed_facts
from harness.data.registry import find_source, locate_files
from harness.data.split_indices import split_indices
from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.user_cache import cache_dir
from harness.specs import DataSpec
from harness.specs.experiment.data import DataInfo
from harness.specs.identity import digest

MANY_IMAGES = 1000
"""A progress bar is shown from this number of images on."""


def describe_data(spec: DataSpec, download: bool = False) -> tuple[DataInfo, DataSpec]:
    """Return a data set's description, and ``spec`` with its fingerprint and with an absolute root.

    Raises:
        HarnessError: A file is missing or unreadable, the fingerprint is not the declared one, or the data set cannot
            be split as declared.
    """
    root, files = locate_files(spec, download)
    facts = _read_facts(spec, root, files)
    if spec.fingerprint not in (None, facts["fingerprint"]):
        raise HarnessError(
            f"the data on {socket.gethostname()} has the fingerprint {facts['fingerprint']}, and the experiment "
            f"declares {spec.fingerprint}",
            where=f"{root}, data.fingerprint",
            remedy="Use the data that the experiment was written for, or remove the declared fingerprint. On a "
            "cluster, give every node the same data.",
        )
    train, val, test = split_indices(spec, np.asarray(facts["labels"]), facts["test"] is not None)
    if spec.name == "imagefolder":
        side = spec.image_size or DEFAULT_IMAGE_SIZE
        size = (side, side)
    else:
        size = (facts["shape"][1], facts["shape"][2])
        if spec.image_size is not None:
            raise HarnessError(
                f"the images of {spec.name} have a fixed size", where="data.image_size", remedy="Leave the field out."
            )
    info = DataInfo(
        name=spec.name,
        fingerprint=facts["fingerprint"],
        channels=facts["shape"][0],
        classes=facts["classes"],
        size=size,
        train=len(train),
        val=len(val),
        test=len(test) if facts["test"] is None else facts["test"],
        source=find_source(spec.name).origin,
    )
    # A URL is kept as it is. Without a declared root the usual places apply, which differ between machines.
    resolved_root = spec.root if spec.root is None or "://" in spec.root else str(root)
    return info, spec.model_copy(update={"root": resolved_root, "fingerprint": facts["fingerprint"]})


def require_image_files(spec: DataSpec, augment: str) -> None:
    """Raise where an augmentation needs image files and the data set has none.

    Raises:
        HarnessError: The augmentation is resized-crop-flip, and the data set is not an image folder or is packed.
    """
    if augment == "resized-crop-flip" and (spec.name != "imagefolder" or is_packed(spec.root)):
        data_set = "a packed file" if is_packed(spec.root) else spec.name
        raise HarnessError(
            f"resized-crop-flip works on image files, which {data_set} does not have",
            where="recipe.augment",
            remedy="Use crop or crop-flip.",
        )


def count_steps_per_epoch(images: int, batch: int) -> int:
    """Return the number of training batches in an epoch; a single image that is left over is dropped."""
    full_batches, rest = divmod(images, batch)
    return full_batches + (rest > 1 or full_batches == 0)


def _read_facts(spec: DataSpec, root: Path, files: Sequence[Path]) -> DataFacts:
    """Return the facts of a data set from the cache, or read its files and fill the cache.

    The key of the cache holds the path, size and time of change of every file.
    """
    stamps = [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files]
    cache = cache_dir() / "facts" / f"{digest([spec.name, stamps], 20)}.json"
    with suppress(OSError, ValueError):
        cached: DataFacts = json.loads(cache.read_text())
        return cached
    if is_packed(files[0]):
        facts = _read_packed_file_facts(files[0])
    elif spec.name == "imagefolder":
        facts = _read_image_folder_facts(root)
    else:
        facts = _read_source_facts(spec, list(files))
    # With a cache that is not writable the next call takes longer. Nothing else depends on it.
    with suppress(HarnessError):
        write_atomic(cache, json.dumps(facts).encode())
    return facts


def _read_source_facts(spec: DataSpec, files: list[Path]) -> DataFacts:
    read = find_source(spec.name).read
    assert read is not None
    try:
        train, test = read(files)
    except Exception as error:
        # The file is cut short, has another format or a wrong checksum; each reader raises errors of its own kinds.
        raise HarnessError(
            f"{spec.name} cannot be read: {error}",
            where=f"{files[0].parent}, data.root",
            remedy="Download the files again.",
        ) from error
    return compute_facts(train, test)


def _read_packed_file_facts(path: Path) -> DataFacts:
    """Read every array, and check it against its checksum and the declared fingerprint."""
    declared, (train, test) = read_packed_facts(path), read_packed_arrays(path)
    facts = compute_facts(train, test)
    if declared["image_size"] is not None:
        # The fingerprint of an image folder is that of its files, which the decoded images do not determine.
        return facts | {"fingerprint": declared["fingerprint"], "classes": declared["classes"]}
    if facts["fingerprint"] != declared["fingerprint"]:
        raise HarnessError(
            "its images do not have the fingerprint that the file declares",
            where=f"{path}, data.root",
            remedy="Pack the data set again.",
        )
    return facts


def _read_image_folder_facts(root: Path) -> DataFacts:
    """Read every file once: hash its bytes, and decode it, so that a damaged image is found before any training."""
    from rich.progress import track

    from harness.data.image_files import read_rgb

    folder = scan_image_folder(root)
    content = hashlib.sha256()
    images = [*folder.train, *(folder.test or [])]
    for path, label in track(images, "Fingerprinting images", transient=True, disable=len(images) < MANY_IMAGES):
        read_rgb(path)
        data = path.read_bytes()
        # os.fsencode gives the bytes of a name that is not UTF-8, too.
        name = os.fsencode(path.relative_to(root).as_posix())
        content.update(b"%b %d %b\n" % (name, label, hashlib.sha256(data).hexdigest().encode()))
    return {
        "fingerprint": content.hexdigest()[:16],
        "shape": [3, 0, 0],
        "classes": len(folder.classes),
        "labels": [label for _, label in folder.train],
        "test": None if folder.test is None else len(folder.test),
    }
