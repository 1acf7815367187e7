"""What a data set holds: its fingerprint, shape and split sizes. Cached, so that planning needs no pixels."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from harness.data.packed_file import is_packed, read_arrays, read_facts
from harness.data.registry import DEFAULT_IMAGE_SIZE, Arrays, locate, scan_tree, source
from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.user_cache import cache_dir
from harness.specs import DataInfo, DataSpec
from harness.specs.identity import digest

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


def describe_data(spec: DataSpec, download: bool = False) -> tuple[DataInfo, DataSpec]:
    """The data set's description, and ``spec`` with its fingerprint filled in, and a root that is given made absolute.

    Raises:
        HarnessError: It is not at hand, a file of it cannot be read, or its splits cannot be made.
    """
    root, files = locate(spec, download)
    facts = _facts(spec, root, files)
    if spec.fingerprint not in (None, facts["fingerprint"]):
        raise HarnessError(
            f"the data's fingerprint on {socket.gethostname()} is {facts['fingerprint']}, the experiment declares "
            f"{spec.fingerprint}",
            where=f"{root}, data.fingerprint",
            remedy="Use the data that the experiment was written for, or remove the declared fingerprint. On a "
            "cluster: every node needs the same.",
        )
    labels = np.asarray(facts["labels"])
    train, val, test = split_indices(spec, labels, facts["test"] is not None)
    if spec.name == "imagefolder":
        side = spec.image_size or DEFAULT_IMAGE_SIZE
        size = (side, side)
    else:
        size = (facts["shape"][1], facts["shape"][2])
        if spec.image_size is not None:
            raise HarnessError(f"{spec.name} has a size of its own", where="data.image_size", remedy="Leave it out.")
    info = DataInfo(
        name=spec.name,
        fingerprint=facts["fingerprint"],
        channels=facts["shape"][0],
        classes=facts["classes"],
        size=size,
        train=len(train),
        val=len(val),
        test=len(test) if facts["test"] is None else facts["test"],
        source=source(spec.name).origin,
    )
    # A URL stays one, and what lies where it usually does may lie elsewhere on another machine.
    place = spec.root if spec.root is None or "://" in spec.root else str(root)
    return info, spec.model_copy(update={"root": place, "fingerprint": facts["fingerprint"]})


def split_indices(spec: DataSpec, labels: np.ndarray, has_test: bool) -> Parts:
    """Stratified (train, validation, test) indices into the data set's training part, in rising order.

    The test indices are empty where the data set has a test part of its own. They are kept in the cache: to import
    scikit-learn, which draws them, takes longer than all else that a plan does.

    Raises:
        HarnessError: A class is too small to be split, or more images are asked for than there are.
    """
    asked = [spec.split_seed, spec.test_fraction, spec.val_fraction, spec.train_images, has_test]
    drawn_by = version("scikit-learn")
    content = hashlib.sha256(np.ascontiguousarray(labels, np.int64).data).hexdigest()
    cache = cache_dir() / "splits" / f"{digest([*asked, drawn_by, content], 20)}.npz"
    with suppress(OSError, ValueError, KeyError, BadZipFile), np.load(cache, allow_pickle=False) as kept:
        return kept["train"], kept["val"], kept["test"]
    train, val, test = _drawn(spec, labels, has_test)
    buffer = BytesIO()
    np.savez(buffer, train=train, val=val, test=test)
    with suppress(HarnessError):
        write_atomic(cache, buffer.getvalue())
    return train, val, test


def _drawn(spec: DataSpec, labels: np.ndarray, has_test: bool) -> Parts:
    """From the legacy random stream, which NumPy keeps frozen."""
    from sklearn.model_selection import train_test_split

    def part(indices: np.ndarray, held_out: float | int, field: str) -> tuple[np.ndarray, np.ndarray]:
        try:
            kept, held = train_test_split(
                indices, test_size=held_out, stratify=labels[indices], random_state=spec.split_seed
            )
        except ValueError as error:
            classes = len(np.unique(labels))
            raise HarnessError(
                f"{held_out:g} leaves a part without an image of each of the {classes} classes",
                where=f"data.{field}",
                remedy=f"Both parts of the {len(indices)} images need at least {classes}, and each class at least 2.",
            ) from error
        return np.sort(kept), np.sort(held)

    none = np.empty(0, np.int64)
    train, test, val = np.arange(len(labels)), none, none
    if not has_test:
        train, test = part(train, spec.test_fraction, "test_fraction")
    if spec.val_fraction:
        train, val = part(train, spec.val_fraction, "val_fraction")
    if spec.train_images is not None and spec.train_images != len(train):
        if spec.train_images > len(train):
            raise HarnessError(
                f"{spec.train_images} training images are asked for and {len(train)} are there",
                where="data.train_images",
                remedy="Ask for fewer, or leave it out.",
            )
        _, train = part(train, spec.train_images, "train_images")
    return train, val, test


def require_files(spec: DataSpec, augment: str) -> None:
    """Refuse an augmentation that works on image files for a data set that has none.

    Raises:
        HarnessError: It does not fit.
    """
    if augment == "resized-crop-flip" and (spec.name != "imagefolder" or is_packed(spec.root)):
        raise HarnessError(
            f"resized-crop-flip works on image files, which {'a packed file' * is_packed(spec.root) or spec.name} does "
            "not have",
            where="recipe.augment",
            remedy="Use crop or crop-flip.",
        )


def steps_per_epoch(images: int, batch: int) -> int:
    """Number of training batches in an epoch."""
    full, left = divmod(images, batch)
    return full + (left > 1 or full == 0)


def _facts(spec: DataSpec, root: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Fingerprint, image shape, classes, training labels, number of test images (None: no test part)."""
    stamps = [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files]
    cache = cache_dir() / "facts" / f"{digest([spec.name, stamps], 20)}.json"
    with suppress(OSError, ValueError):
        cached: dict[str, Any] = json.loads(cache.read_text())
        return cached
    if is_packed(files[0]):
        facts = _packed_facts(files[0])
    else:
        facts = _tree_facts(root) if spec.name == "imagefolder" else _array_facts(spec, list(files))
    # A read-only cache costs time at the next call, nothing else.
    with suppress(HarnessError):
        write_atomic(cache, json.dumps(facts).encode())
    return facts


def _array_facts(spec: DataSpec, files: list[Path]) -> dict[str, Any]:
    load = source(spec.name).load
    assert load is not None
    try:
        train, test = load(files)
    except Exception as error:
        # Cut short, of another format, failed its checksum: each reader has an exception of its own for it.
        raise HarnessError(
            f"{spec.name} cannot be read: {error}", where=f"{files[0].parent}, data.root", remedy="Fetch it again."
        ) from error
    return array_facts(train, test)


def array_facts(train: Arrays, test: Arrays | None) -> dict[str, Any]:
    """What is known of images and labels in memory."""
    content = hashlib.sha256()
    for array in (*train, *(test or ())):
        content.update(f"{array.dtype.str}{array.shape}".encode())
        content.update(np.ascontiguousarray(array).data)
    return {
        "fingerprint": content.hexdigest()[:16],
        "shape": list(train[0].shape[1:]),
        "classes": int(train[1].max()) + 1,
        "labels": train[1].tolist(),
        "test": None if test is None else len(test[1]),
    }


def _packed_facts(path: Path) -> dict[str, Any]:
    """Every array is read, and held against its checksum; what was made from arrays has their fingerprint."""
    about, (train, test) = read_facts(path), read_arrays(path)
    found = array_facts(train, test)
    if about["image_size"] is not None:
        # Images are identified by their files' bytes, which decoding does not give back.
        return found | {"fingerprint": about["fingerprint"], "classes": about["classes"]}
    if found["fingerprint"] != about["fingerprint"]:
        raise HarnessError(
            "its images are not those whose fingerprint it declares",
            where=f"{path}, data.root",
            remedy="Pack it again.",
        )
    return found


def _tree_facts(root: Path) -> dict[str, Any]:
    """Every file is read once: its bytes are hashed, and it is decoded, so that no trial meets one that cannot be."""
    from rich.progress import track

    from harness.data.image_files import read_rgb

    tree = scan_tree(root)
    content = hashlib.sha256()
    images = [*tree.train, *(tree.test or [])]
    for path, label in track(images, "Fingerprinting images", transient=True, disable=len(images) < 1000):
        read_rgb(path)
        data = path.read_bytes()
        # A name that is not UTF-8 text counts by its bytes.
        name = os.fsencode(path.relative_to(root).as_posix())
        content.update(b"%b %d %b\n" % (name, label, hashlib.sha256(data).hexdigest().encode()))
    return {
        "fingerprint": content.hexdigest()[:16],
        "shape": [3, 0, 0],
        "classes": len(tree.classes),
        "labels": [label for _, label in tree.train],
        "test": None if tree.test is None else len(tree.test),
    }
