"""Image folders as arrays: decoded once per machine, into a packed file of the user's cache."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.data.description import array_facts
from harness.data.image_files import ImageFiles, stream
from harness.data.packed_file import SUFFIX, is_packed, one_process_at_a_time, packed_members, write_packed
from harness.data.registry import DEFAULT_IMAGE_SIZE, Arrays, locate, scan_tree, source
from harness.errors import HarnessError
from harness.io.user_cache import cache_dir
from harness.specs import DataSpec
from harness.specs.identity import SEMANTICS, digest

MEMORY_LIMIT = 2 * 2**30
"""Bytes of decoded images up to which an image folder is kept in memory."""
WORTH_A_BAR = 1000
"""Images from which on their decoding is shown."""


def fits_in_memory(images: int, size: int) -> bool:
    """Whether so many images of side ``size`` are kept in memory."""
    return images * 3 * size**2 <= MEMORY_LIMIT


def decoded_file(spec: DataSpec, augment: str, workers: int = 0, show: bool = False) -> Path | None:
    """The packed file of an image folder's images; None where they are streamed, or the cache cannot be written to.

    Whoever comes first decodes them, and others on the machine wait.

    Args:
        spec: With its fingerprint.
        workers: Processes that decode.
        show: A progress bar.
    """
    if is_packed(spec.root) or augment == "resized-crop-flip":
        return None
    size = spec.image_size or DEFAULT_IMAGE_SIZE
    tree = scan_tree(Path(str(spec.root)))
    if not fits_in_memory(len(tree.train) + len(tree.test or ()), size):
        return None
    made_by = [SEMANTICS, version("pillow"), version("torchvision")]
    copy = cache_dir() / "decoded" / f"{spec.fingerprint}-{size}-{digest(made_by, 6)}{SUFFIX}"
    with suppress(OSError, HarnessError), one_process_at_a_time(copy):
        if not copy.exists():
            pack_dataset(spec, len(tree.classes), str(copy), workers, show)
    return copy if copy.exists() else None


def pack_dataset(spec: DataSpec, classes: int, place: str, workers: int = 0, show: bool = False) -> int:
    """Write a data set, which has its fingerprint, into one file at a path or URL; its size in bytes.

    Raises:
        HarnessError: It is not at hand, or packed already; the file cannot be written.
    """
    arrays = all_images(spec, workers, show)
    facts = array_facts(*arrays) | {"fingerprint": spec.fingerprint, "classes": classes}
    del facts["labels"]
    size = (spec.image_size or DEFAULT_IMAGE_SIZE) if spec.name == "imagefolder" else None
    members = packed_members(spec.name, facts, arrays, size)
    write_packed(members, place)
    return sum(map(len, members.values()))


def all_images(spec: DataSpec, workers: int = 0, show: bool = False) -> tuple[Arrays, Arrays | None]:
    """All images of a data set, unsplit, as a packed file holds them.

    Raises:
        HarnessError: It is not at hand, or packed already.
    """
    root, files = locate(spec)
    reader = source(spec.name).load
    if is_packed(spec.root):
        raise HarnessError("it is packed already", where=f"{root}, --data-root", remedy="Copy the file.")
    if reader is not None:
        return reader(files)
    tree, size = scan_tree(root), spec.image_size or DEFAULT_IMAGE_SIZE
    parts = [decode(ImageFiles(part, size), workers, show) for part in (tree.train, tree.test) if part is not None]
    arrays: list[Arrays] = [(images.numpy(), np.asarray(labels, np.int64)) for images, labels in parts]
    return arrays[0], arrays[1] if len(arrays) > 1 else None


def decode(images: ImageFiles, workers: int, show: bool = False) -> tuple[Tensor, Tensor]:
    """All images uint8 (N, 3, S, S), and labels (N,), in memory."""
    from rich.progress import track

    pixels = torch.empty(len(images), 3, images.size, images.size, dtype=torch.uint8)
    labels = torch.empty(len(images), dtype=torch.int64)
    # There may be none: a part of a data set without a validation split.
    batches = [batch for batch in torch.arange(len(images)).split(256) if len(batch)]
    parts = stream(images, batches, workers, torch.device("cpu"))
    hidden = not show or len(images) < WORTH_A_BAR
    for part in track(parts, "Decoding images", len(batches), transient=True, disable=hidden):
        pixels[part[2]], labels[part[2]] = part[0], part[1]
    return pixels, labels
