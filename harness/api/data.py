"""A data set into one file, for machines that are to train on it."""

from __future__ import annotations

from pathlib import Path

from harness.specs import DataSpec
from harness.specs.experiment.data import DataInfo


def pack_data(
    name: str, to: str, data_root: str | Path | None = None, image_size: int | None = None, download: bool = False
) -> tuple[DataInfo, int]:
    """Write a data set as uint8 images into one file, at a path or URL; what it holds, and its size in bytes.

    Args:
        to: Ends in ``.pack``.
        image_size: Side in pixels that an image folder is decoded at.

    Raises:
        HarnessError: The data is not at hand, or the file cannot be written.
    """
    from harness.data.decode_cache import pack_dataset
    from harness.data.description import describe_data
    from harness.data.packed_file import require_packed_name

    require_packed_name(to)
    root = None if data_root is None else str(data_root)
    info, spec = describe_data(DataSpec(name=name, root=root, image_size=image_size), download)
    return info, pack_dataset(spec, info.classes, to, show_progress=True)
