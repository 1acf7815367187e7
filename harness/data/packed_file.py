"""A data set in one file of uint8 images: for machines to which a file, or its URL, is all that gets.

The file is an archive of NumPy arrays with a checksum for each, and the fingerprint of what it was made from: trials
on it are the trials on the original. At a URL of fsspec (s3://, gs://, https://, ...) it is fetched once per machine.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.io.archives import pack_archive, read_member, write_archive
from harness.io.atomic_files import atomic_file
from harness.io.user_cache import cache_dir
from harness.specs.identity import digest

SUFFIX = ".pack"
FACTS = "facts.json"
FORMAT = 1
CHUNK = 4 * 2**20
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
Splits = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray] | None]


def is_packed(place: str | Path | None) -> bool:
    """Whether a data set's root is a packed file, by its name."""
    return place is not None and str(place).endswith(SUFFIX)


def require_name(place: str) -> None:
    """Refuse a name by which a packed file would not be known as one.

    Raises:
        HarnessError: It ends otherwise.
    """
    if not is_packed(place):
        raise HarnessError(
            f"a packed data set is known by its ending {SUFFIX}",
            where=f"--to {place}",
            remedy=f"Write {place}{SUFFIX}.",
        )


def packed_members(name: str, facts: dict[str, Any], arrays: Splits, image_size: int | None) -> dict[str, bytes]:
    """The members of a packed file.

    Args:
        facts: As :func:`harness.data.description.describe_data` keeps them, without the labels.
        arrays: (images (N, C, H, W) uint8, labels (N,)) of training, and of testing where the data set has a part of
            its own for it.
        image_size: Side in pixels that an image folder was decoded at.
    """
    (images, labels), test = arrays
    members = {"train_images": images, "train_labels": labels}
    if test is not None:
        members |= {"test_images": test[0], "test_labels": test[1]}
    about = {"format": FORMAT, "name": name, "image_size": image_size, **facts}
    return {FACTS: json.dumps(about).encode(), **{f"{key}.npy": _bytes(value) for key, value in members.items()}}


def _bytes(array: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _array(content: bytes) -> np.ndarray:
    """What :func:`_bytes` was given, read-only: a view of the content, which may be large."""
    buffer = BytesIO(content)
    version = np.lib.format.read_magic(buffer)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(buffer)
    return np.frombuffer(content, dtype, offset=buffer.tell()).reshape(shape, order="F" if fortran else "C")


def read_facts(path: Path) -> dict[str, Any]:
    """What a packed file says of itself.

    Raises:
        HarnessError: It is damaged, none of ours, or of a newer version.
    """
    with _opened(path) as file:
        facts: dict[str, Any] = json.loads(read_member(file, FACTS, str(path)))
    if facts.get("format") != FORMAT:
        raise HarnessError(
            f"it is packed in format {facts.get('format')}; this version reads {FORMAT}",
            where=f"{path}, data.root",
            remedy="Upgrade depthbench, or pack it again.",
        )
    return facts


def read_arrays(path: Path) -> Splits:
    """The images and labels, each checked against its checksum.

    Raises:
        HarnessError: The file is damaged.
    """
    there = ARRAYS[:2] if read_facts(path)["test"] is None else ARRAYS
    with _opened(path) as file:
        contents = [read_member(file, f"{key}.npy", str(path)) for key in there]
    try:
        found = [_array(content) for content in contents]
    except ValueError as error:
        raise HarnessError(f"its arrays are not readable: {error}", where=f"{path}, data.root") from error
    return (found[0], found[1]), (found[2], found[3]) if len(found) > 2 else None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise HarnessError(
            f"cannot be read: {error.strerror or error}",
            where=f"{path} on {socket.gethostname()}, data.root",
            remedy="Check --data-root, and on a cluster that every node has it, or give a URL.",
        ) from error


def local_copy(root: str) -> Path:
    """The packed file on this machine; of a URL its copy, which is fetched by the first process that asks.

    Raises:
        HarnessError: It is not there, or cannot be fetched.
    """
    if "://" not in root:
        path = Path(root).expanduser().absolute()
        if not path.is_file():
            raise HarnessError(
                "there is no such file",
                where=f"{path} on {socket.gethostname()}, data.root",
                remedy="Check --data-root, and on a cluster that every node has it, or give a URL.",
            )
        return path
    try:
        import fsspec

        fs, inside = fsspec.core.url_to_fs(root)
        about = fs.info(inside)
        size = int(about["size"])
        # Another file at the same address is another copy.
        stamp = [root, size, *(str(about[key]) for key in ("ETag", "mtime", "LastModified") if about.get(key))]
        copy = cache_dir() / "staged" / f"{digest(stamp, 20)}{SUFFIX}"
        with one_process_at_a_time(copy):
            if not copy.exists():
                _fetch(fs, inside, size, copy)
    except HarnessError:
        raise
    except Exception as error:
        # Each file system of fsspec has errors of its own library.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise HarnessError(
            f"it cannot be fetched: {reason}",
            where=f"{root} on {socket.gethostname()}, data.root",
            remedy="Check the address, its credentials in the environment, and that its package is installed "
            "(s3://: s3fs).",
        ) from error
    return copy


@contextmanager
def one_process_at_a_time(copy: Path) -> Iterator[None]:
    """Processes of one machine wait for each other here; where the system has no such locks, each fetches a copy."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    with copy.with_suffix(".lock").open("w") as lock:
        with suppress(ImportError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(fs: Any, inside: str, size: int, copy: Path) -> None:
    from rich.progress import Progress

    handle, name = tempfile.mkstemp(dir=copy.parent, prefix=f".{copy.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, fs.open(inside, "rb") as source, Progress(transient=True) as bar:
            task = bar.add_task("Fetching the data", total=size)
            while chunk := source.read(CHUNK):
                target.write(chunk)
                bar.update(task, advance=len(chunk))
        if beside.stat().st_size != size:
            raise OSError(f"{beside.stat().st_size:,} of {size:,} bytes arrived")
        read_facts(beside)
        beside.replace(copy)
    finally:
        beside.unlink(missing_ok=True)


def write_packed(members: dict[str, bytes], place: str) -> None:
    """Write a packed file to a path or URL, whole or not at all.

    Raises:
        HarnessError: It cannot be written.
    """
    if "://" not in place:
        with atomic_file(Path(place).expanduser().absolute()) as file:
            write_archive(file, members)
        return
    from harness.io.storage import Folder

    folder, _, name = place.rpartition("/")
    Folder.from_location(folder).write(name, pack_archive(members))
