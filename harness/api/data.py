"""Pack a data set into one file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.specs import DataSpec
from harness.specs.experiment.data import DataInfo


def pack_data(
    name: str,
    to: str,
    data_root: str | Path | None = None,
    image_size: int | None = None,
    download: bool = False,
    layout: Literal["classes", "splits"] | None = None,
) -> tuple[DataInfo, int]:
    """Write a data set as uint8 images into one file, which the machines of a cluster can read.

    Args:
        to: Path or URL of the file, ending in ``.pack``.
        data_root: The place of the data set; None: where it is usually kept.
        image_size: Side in pixels at which an image folder is decoded.
        download: Whether the data set may be downloaded.
        layout: The layout of an image folder, where its directories allow more than one.

    Returns:
        What the file contains, and its size in bytes.

    Raises:
        HarnessError: The data set is missing, or the file cannot be written.
    """
    from harness.data.decode_cache import pack_dataset
    from harness.data.description import describe_data
    from harness.data.packed_file import require_packed_name

    require_packed_name(to)
    root = None if data_root is None else str(data_root)
    info, spec = describe_data(DataSpec(name=name, root=root, image_size=image_size, layout=layout), download)
    described = info.model_dump(include={"classes", "class_names", "split_notes", "notes"})
    return info, pack_dataset(spec, described, to, show_progress=True)
