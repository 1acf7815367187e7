"""The description of a data set: its fingerprint, image shape and split sizes, cached for planning."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.data.arrays import DataFacts, compute_facts
from harness.data.facts_cache import cached_facts
from harness.data.folders.entries import printable_name
from harness.data.image_folders import DEFAULT_IMAGE_SIZE, ImageFolder, scan_image_folder
from harness.data.packed_file import is_packed, read_packed_arrays, read_packed_facts
from harness.data.registry import find_source, locate_files
from harness.data.split_indices import split_indices
from harness.errors import HarnessError
from harness.specs import DataSpec
from harness.specs.experiment.data import DataInfo

MANY_IMAGES = 1000
"""A progress bar is shown from this number of images on."""
LINE_LENGTH = 300
"""Characters of a line in a description."""


def describe_data(spec: DataSpec, download: bool = False) -> tuple[DataInfo, DataSpec]:
    """Return a data set's description, and ``spec`` with its fingerprint and with an absolute root.

    Raises:
        HarnessError: A file is missing or unreadable, the fingerprint is not the declared one, or the data set cannot
            be split as declared.
    """
    root, files = locate_files(spec, download)
    facts = _find_facts(spec, root, files)
    if spec.fingerprint not in (None, facts["fingerprint"]):
        raise HarnessError(
            f"the data on {socket.gethostname()} has the fingerprint {facts['fingerprint']}, and the experiment "
            f"declares {spec.fingerprint}",
            where=f"{root}, data.fingerprint" if root != Path() else "data.fingerprint",
            remedy="Use the data that the experiment was written for, or remove the declared fingerprint. On a "
            "cluster, give every node the same data.",
        )
    if spec.layout is not None and spec.name != "imagefolder":
        raise HarnessError(
            f"{spec.name} has no directories of classes", where="data.layout", remedy="Leave the field out."
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
        class_names=tuple(facts["class_names"]),
        split_notes=tuple(facts["split_notes"]),
        notes=tuple(facts["notes"]),
        has_own_test=facts["test"] is not None,
        label=spec.label or "",
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


def _find_facts(spec: DataSpec, root: Path, files: Sequence[Path]) -> DataFacts:
    """Return the facts of a data set from the cache, or read its files and fill the cache."""
    if spec.name == "imagefolder" and not is_packed(files[0]):
        return _find_image_folder_facts(spec, root)

    def read() -> DataFacts:
        return _read_packed_file_facts(files[0]) if is_packed(files[0]) else _read_source_facts(spec, list(files))

    return cached_facts([spec.name], files, lambda: files, read)


def _find_image_folder_facts(spec: DataSpec, root: Path) -> DataFacts:
    def scan() -> ImageFolder:
        return scan_image_folder(root, spec.layout)

    folder = scan()
    # The same files are other data below another root, because the fingerprint holds their names below it, and with
    # another layout.
    key = [spec.name, str(root), folder.classes, len(folder.train)]
    facts = cached_facts(key, folder.files, lambda: scan().files, lambda: _read_image_folder_facts(root, scan()))
    # Notes are on files that are in no fingerprint, so a cache cannot hold them.
    return {**facts, "split_notes": list(folder.split_notes), "notes": list(folder.notes)}


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
        return {
            **facts,
            "fingerprint": declared["fingerprint"],
            "classes": declared["classes"],
            # Files of earlier versions do not have these three.
            "class_names": _read_lines(declared.get("class_names")),
            "split_notes": _read_lines(declared.get("split_notes")),
            "notes": _read_lines(declared.get("notes")),
        }
    if facts["fingerprint"] != declared["fingerprint"]:
        raise HarnessError(
            "its images do not have the fingerprint that the file declares",
            where=f"{path}, data.root",
            remedy="Pack the data set again.",
        )
    return facts


def _read_lines(value: object) -> list[str]:
    """Return texts from a file of unknown origin as lines that can be printed."""
    return [printable_name(str(text), most=LINE_LENGTH) for text in value] if isinstance(value, list) else []


def _read_image_folder_facts(root: Path, folder: ImageFolder) -> DataFacts:
    """Read every file once: hash its bytes, and decode it, so that a damaged image is found before any training."""
    from rich.progress import track

    from harness.data.image_files import read_file, read_rgb

    content = hashlib.sha256()
    images = folder.images
    for path, label in track(images, "Fingerprinting images", transient=True, disable=len(images) < MANY_IMAGES):
        data = read_file(path)
        read_rgb(path, data)
        # os.fsencode gives the bytes of a name that is not UTF-8, too.
        name = os.fsencode(path.relative_to(root).as_posix())
        content.update(b"%b %d %b\n" % (name, label, hashlib.sha256(data).hexdigest().encode()))
    return {
        "fingerprint": content.hexdigest()[:16],
        "shape": [3, 0, 0],
        "classes": len(folder.classes),
        "labels": [label for _, label in folder.train],
        "test": None if folder.test is None else len(folder.test),
        "class_names": [printable_name(name, most=LINE_LENGTH) for name in folder.classes],
        "split_notes": [],
        "notes": [],
    }
