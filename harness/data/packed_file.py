"""A packed file: a data set as uint8 images in one file, for machines that can reach only a file or a URL.

The file is an archive of NumPy arrays, each with a checksum, and the fingerprint of the data set. A trial on the packed
file is therefore the same trial as on the original. A file at a URL of fsspec (s3://, gs://, https://, ...) is
downloaded once per machine.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from harness.data.arrays import TrainTestArrays
from harness.errors import HarnessError
from harness.io.archives import pack_archive, read_member, write_archive
from harness.io.atomic_files import atomic_file
from harness.io.user_cache import make_cache_dir
from harness.settings.urls import redact_passwords
from harness.settings.user_paths import resolve_path, working_directory
from harness.specs.identity import digest

SUFFIX = ".pack"
FACTS = "facts.json"
FORMAT = 1
VERSION_KEYS = ("ETag", "Content-MD5", "Digest", "Last-Modified", "LastModified", "last_modified", "mtime", "md5Hash",
                "generation", "updated", "created")  # fmt: skip
"""What the file systems of fsspec call the checksum, or the time, of a file."""
START_BYTES = 4096
CHUNK = 4 * 2**20
"""Bytes that are downloaded at a time."""
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
CHECK_ROOT = "Check --data-root. On a cluster, check that every node has the file, or give a URL."


def is_packed(root: str | Path | None) -> bool:
    """Return whether a data set's root is a packed file: a URL, or a path with this end."""
    return root is not None and ("://" in str(root) or str(root).endswith(SUFFIX))


def require_packed_name(target: str) -> None:
    """Raise where the name of a packed file does not end in ``.pack``.

    Raises:
        HarnessError: The name has another ending.
    """
    name = urlsplit(target).path if "://" in target else target
    if not name.endswith(SUFFIX):
        raise HarnessError(
            f"the name of a packed data set ends in {SUFFIX}",
            where=f"--to {target}",
            remedy=f"Write to {target}{SUFFIX}.",
        )


def build_packed_members(
    name: str, facts: Mapping[str, Any], arrays: TrainTestArrays, image_size: int | None
) -> dict[str, bytes]:
    """Return the members of a packed file by name.

    Args:
        name: The data set's name.
        facts: Its :class:`DataFacts` without the labels.
        arrays: Its images and labels.
        image_size: Side in pixels at which an image folder was decoded; None for other data sets.
    """
    train, test = arrays
    contents = dict(zip(ARRAYS, [*train, *(test or ())], strict=False))
    header = {"format": FORMAT, "name": name, "image_size": image_size, **facts}
    return {FACTS: json.dumps(header).encode(), **{f"{key}.npy": _to_npy(array) for key, array in contents.items()}}


def _to_npy(array: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _from_npy(content: bytes) -> np.ndarray:
    """Return the array as a read-only view of ``content``, which may be too large to be copied."""
    buffer = BytesIO(content)
    version = np.lib.format.read_magic(buffer)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(buffer)
    return np.frombuffer(content, dtype, offset=buffer.tell()).reshape(shape, order="F" if fortran else "C")


def read_packed_facts(path: Path) -> dict[str, Any]:
    """Return the header of a packed file: ``format``, ``name``, ``image_size``, and its facts without the labels.

    Raises:
        HarnessError: The file is damaged, is no packed file, or has the format of a newer version.
    """
    with _open_packed(path) as file:
        header: dict[str, Any] = json.loads(read_member(file, FACTS, str(path)))
    if header.get("format") != FORMAT:
        raise HarnessError(
            f"the file has format {header.get('format')}, and this version reads format {FORMAT}",
            where=f"{path}, data.root",
            remedy="Upgrade depthbench, or pack the data set again.",
        )
    return header


def read_packed_arrays(path: Path) -> TrainTestArrays:
    """Return the images and labels of a packed file, after a check of their checksums.

    Raises:
        HarnessError: The file is damaged.
    """
    keys = ARRAYS[:2] if read_packed_facts(path)["test"] is None else ARRAYS
    with _open_packed(path) as file:
        contents = [read_member(file, f"{key}.npy", str(path)) for key in keys]
    try:
        arrays = [_from_npy(content) for content in contents]
    except ValueError as error:
        raise HarnessError(f"the arrays in this file cannot be read: {error}", where=f"{path}, data.root") from error
    return (arrays[0], arrays[1]), (arrays[2], arrays[3]) if len(arrays) > 2 else None


@contextmanager
def _open_packed(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise HarnessError(
            f"this file cannot be read: {error.strerror or error}",
            where=f"{path} on {socket.gethostname()}, data.root",
            remedy=CHECK_ROOT,
        ) from error


def write_packed(members: dict[str, bytes], target: str) -> None:
    """Write a packed file to a path or URL, whole or not at all.

    Raises:
        HarnessError: It cannot be written.
    """
    if "://" not in target:
        with atomic_file(working_directory("--to") / resolve_path(target, "--to")) as file:
            write_archive(file, members)
        return
    from harness.io.storage import Folder

    folder, _, name = target.rpartition("/")
    Folder.from_location(folder).write(name, pack_archive(members))


def fetch_packed(root: str) -> Path:
    """Return the path of a packed file on this machine; a file at a URL is downloaded by the first process.

    Raises:
        HarnessError: The file does not exist, or cannot be downloaded.
    """
    if "://" not in root:
        path = working_directory("data.root") / resolve_path(root, "data.root, --data-root")
        if not path.is_file():
            raise HarnessError(
                "this file does not exist", where=f"{path} on {socket.gethostname()}, data.root", remedy=CHECK_ROOT
            )
        return path
    try:
        import fsspec

        fs, remote_path = fsspec.core.url_to_fs(root)
        info = fs.info(remote_path)
        size = int(info["size"])
        # A changed file at the same URL gets a copy of its own.
        versions = [str(info[key]) for key in VERSION_KEYS if info.get(key)]
        # The first bytes of a packed file hold its fingerprint.
        stamp = [root, size, *(versions or [fs.cat_file(remote_path, start=0, end=START_BYTES).hex()])]
        copy = make_cache_dir("staged") / f"{digest(stamp, 20)}{SUFFIX}"
        with one_process_at_a_time(copy):
            if not copy.exists():
                _download(fs, remote_path, size, copy)
    except HarnessError:
        raise
    except Exception as error:
        # Each file system of fsspec raises errors of its own library.
        reason = redact_passwords(str(error).replace(root, redact_passwords(root))).partition("\n")[0]
        raise HarnessError(
            f"the file cannot be downloaded: {reason or type(error).__name__}",
            where=f"{redact_passwords(root)} on {socket.gethostname()}, data.root",
            remedy="Check the URL, its credentials in the environment, and that the package for its file system is "
            "installed (s3://: s3fs).",
        ) from error
    return copy


@contextmanager
def one_process_at_a_time(copy: Path) -> Iterator[None]:
    """Hold the lock of a cached file, so that one process makes it and the others on the machine wait.

    On a system without such locks every process makes the file.
    """
    copy.parent.mkdir(parents=True, exist_ok=True)
    with copy.with_suffix(".lock").open("w") as lock:
        with suppress(ImportError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(fs: Any, remote_path: str, size: int, copy: Path) -> None:
    from rich.console import Console
    from rich.progress import Progress

    handle, name = tempfile.mkstemp(dir=copy.parent, prefix=f".{copy.name}.")
    partial = Path(name)
    try:
        # On standard error, because standard output may carry JSON.
        bar = Progress(transient=True, console=Console(stderr=True))
        with os.fdopen(handle, "wb") as target, fs.open(remote_path, "rb") as source, bar:
            task = bar.add_task("Downloading the data", total=size)
            while chunk := source.read(CHUNK):
                target.write(chunk)
                bar.update(task, advance=len(chunk))
        if partial.stat().st_size != size:
            raise OSError(f"{partial.stat().st_size:,} of {size:,} bytes arrived")
        read_packed_facts(partial)
        partial.replace(copy)
    finally:
        partial.unlink(missing_ok=True)
