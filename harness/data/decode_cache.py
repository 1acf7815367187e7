"""The decoded images of image folders: made once per machine, and kept as packed files in the user's cache."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.data.arrays import Arrays, TrainTestArrays, compute_facts
from harness.data.description import describe_data
from harness.data.image_files import ImageFiles, stream_batches
from harness.data.image_folders import DEFAULT_IMAGE_SIZE, scan_image_folder
from harness.data.packed_file import SUFFIX, build_packed_members, is_packed, one_process_at_a_time, write_packed
from harness.data.registry import find_source, locate_files
from harness.errors import HarnessError
from harness.io.user_cache import cache_dir
from harness.specs import DataSpec
from harness.specs.identity import SEMANTICS, digest

MEMORY_LIMIT = 2 * 2**30
"""An image folder whose decoded images take more bytes is not kept in memory."""
MANY_IMAGES = 1000
"""A progress bar is shown from this number of images on."""
DECODED_BATCH = 256
FORMAT = 2
"""Raised where copies of earlier versions cannot be trusted: format 1 did not see every change of a file."""


def fits_in_memory(images: int, size: int) -> bool:
    """Return whether so many decoded RGB images of ``size`` x ``size`` pixels are kept in memory."""
    return images * 3 * size**2 <= MEMORY_LIMIT


def find_or_decode(spec: DataSpec, augment: str, workers: int = 0, show_progress: bool = False) -> Path | None:
    """Return the packed file with the decoded images of an image folder; make it if it is missing.

    While one process decodes, the others on the machine wait.

    Args:
        spec: The image folder, with its fingerprint.
        augment: The augmentation of the recipe.
        workers: Number of processes that decode.
        show_progress: Whether to show a progress bar.

    Returns:
        Its path. None where the images are decoded in every epoch, or where the cache is not writable.
    """
    if is_packed(spec.root) or augment == "resized-crop-flip":
        return None
    size = spec.image_size or DEFAULT_IMAGE_SIZE
    folder = scan_image_folder(Path(str(spec.root)), spec.layout)
    if not fits_in_memory(len(folder.images), size):
        return None
    decoders = [FORMAT, SEMANTICS, version("pillow"), version("torchvision")]
    copy = cache_dir() / "decoded" / f"{spec.fingerprint}-{size}-{digest(decoders, 6)}{SUFFIX}"
    with suppress(OSError, HarnessError), one_process_at_a_time(copy):
        if not copy.exists():
            pack_dataset(spec, {"classes": len(folder.classes)}, str(copy), workers, show_progress)
    return copy if copy.exists() else None


def pack_dataset(
    spec: DataSpec, described: Mapping[str, object], target: str, workers: int = 0, show_progress: bool = False
) -> int:
    """Write a data set into a packed file at a path or URL; return its size in bytes.

    Args:
        spec: The data set, with its fingerprint.
        described: Facts that its arrays do not show: the number of classes, their names, and notes.
        target: The path or URL of the packed file.
        workers: Number of processes that decode.
        show_progress: Whether to show a progress bar.

    Raises:
        HarnessError: A file is missing or changes meanwhile, the data set is packed already, or the target cannot be
            written.
    """
    arrays = read_all_images(spec, workers, show_progress)
    # The images were read after their fingerprint was taken.
    describe_data(spec)
    facts = {**compute_facts(*arrays), **described, "fingerprint": spec.fingerprint}
    del facts["labels"]
    size = (spec.image_size or DEFAULT_IMAGE_SIZE) if spec.name == "imagefolder" else None
    members = build_packed_members(spec.name, facts, arrays, size)
    write_packed(members, target)
    return sum(map(len, members.values()))


def read_all_images(spec: DataSpec, workers: int = 0, show_progress: bool = False) -> TrainTestArrays:
    """Return all images of a data set before it is split, as a packed file holds them.

    Raises:
        HarnessError: A file is missing, or the data set is packed already.
    """
    root, files = locate_files(spec)
    read = find_source(spec.name).read
    if is_packed(spec.root):
        raise HarnessError(
            "the data set is packed already", where=f"{root}, --data-root", remedy="Copy this file to the target."
        )
    if read is not None:
        return read(files)
    folder, size = scan_image_folder(root, spec.layout), spec.image_size or DEFAULT_IMAGE_SIZE
    arrays: list[Arrays] = []
    for split in (folder.train, folder.test):
        if split is not None:
            images, labels = decode_images(ImageFiles(split, size), workers, show_progress)
            arrays.append((images.numpy(), np.asarray(labels, np.int64)))
    return arrays[0], arrays[1] if len(arrays) > 1 else None


def decode_images(images: ImageFiles, workers: int, show_progress: bool = False) -> tuple[Tensor, Tensor]:
    """Return all images, uint8 (N, 3, S, S), and their labels, int64 (N,), in memory."""
    from rich.progress import track

    pixels = torch.empty(len(images), 3, images.size, images.size, dtype=torch.uint8)
    labels = torch.empty(len(images), dtype=torch.int64)
    # A validation split without images gives one empty batch, which is left out.
    batches = [batch for batch in torch.arange(len(images)).split(DECODED_BATCH) if len(batch)]
    stream = stream_batches(images, batches, workers, torch.device("cpu"))
    hidden = not show_progress or len(images) < MANY_IMAGES
    for batch in track(stream, "Decoding images", len(batches), transient=True, disable=hidden):
        pixels[batch[2]], labels[batch[2]] = batch[0], batch[1]
    return pixels, labels
