"""Storage of checkpoints: a local directory, or any URL that fsspec supports (s3://, gs://, sftp://, ...)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

from harness.errors import HarnessError
from harness.io.atomic_files import require_writable, write_atomic
from harness.settings.user_paths import resolve_place, working_directory

OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss"}
"""Schemes of stores without folders: a folder there is only the common beginning of object names."""
ATOMIC_STORES = OBJECT_STORES | {"memory"}
"""Schemes whose files appear whole. On others a file is written under a temporary name and then moved."""


@dataclass(frozen=True)
class Folder:
    """A folder whose files appear whole or not at all. It can be pickled, so workers on other hosts receive it.

    Every method raises HarnessError where the storage does not respond.

    Attributes:
        url: Absolute path, or URL without a slash at its end.
    """

    url: str

    @classmethod
    def from_location(cls, location: str | Path) -> Folder:
        """Return the folder at a path or URL. A path is made absolute, because workers run in other directories.

        Raises:
            HarnessError: The kind of URL is unknown, its package is not installed, or the URL contains a password.
        """
        text = resolve_place(location, "--storage", "DEPTHBENCH_STORAGE")
        if "://" not in text:
            return cls(str(working_directory("--storage") / text))
        if urlsplit(text).password is not None:
            raise HarnessError(
                "this address contains a password, and addresses are recorded and printed",
                where="--storage",
                remedy="Leave the password out, and set the credentials in the environment as the library of that "
                "storage describes.",
            )
        folder = cls(text.rstrip("/"))
        with folder.explain_errors():
            folder._file_system()
        return folder

    @property
    def path(self) -> Path | None:
        """The local path; None for a URL."""
        return None if "://" in self.url else Path(self.url)

    @property
    def name(self) -> str:
        """The last part of the path or URL."""
        return self.url.rpartition("/")[2]

    def __truediv__(self, name: str) -> Folder:
        return Folder(f"{self.url}/{name}")

    @property
    def parent(self) -> Folder:
        """The folder that contains this one."""
        return Folder(self.url.rpartition("/")[0])

    def __str__(self) -> str:
        return self.url

    def require_writable(self) -> None:
        """Refuse a folder that could not be written to later; leave nothing behind."""
        if self.path is not None:
            require_writable(self.path, "--storage")
            return
        name = f".probe-{uuid4().hex}"
        self.write(name, b"")
        self.remove(name)

    def list_names(self) -> list[str]:
        """Return the names of files and folders in it, sorted; empty where the folder does not exist."""
        if self.path is not None:
            with self.explain_errors():
                return sorted(entry.name for entry in self.path.iterdir()) if self.path.is_dir() else []
        with self.explain_errors():
            fs, inside = self._file_system()
            try:
                return sorted(str(name).rstrip("/").rpartition("/")[2] for name in fs.ls(inside, detail=False))
            except FileNotFoundError:
                return []

    def file_size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        with self.explain_errors():
            if self.path is not None:
                return (self.path / name).stat().st_size
            fs, inside = self._file_system()
            return int(fs.size(f"{inside}/{name}"))

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self.explain_errors():
            if self.path is not None:
                return (self.path / name).read_bytes()
            fs, inside = self._file_system()
            content: bytes = fs.cat_file(f"{inside}/{name}")
            return content

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Yield a file that can be read in parts; of a file at a URL only these parts are fetched."""
        with self.explain_errors():
            if self.path is not None:
                opened = (self.path / name).open("rb")
            else:
                fs, inside = self._file_system()
                opened = fs.open(f"{inside}/{name}", "rb")
        with opened as file:
            yield file

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file, in place of an older one of that name."""
        if self.path is not None:
            write_atomic(self.path / name, content)
            return
        with self.explain_errors():
            fs, inside = self._file_system()
            if urlsplit(self.url).scheme in ATOMIC_STORES:
                fs.pipe_file(f"{inside}/{name}", content)
                return
            fs.makedirs(inside, exist_ok=True)
            temporary = f"{inside}/.{name}.{uuid4().hex}"
            fs.pipe_file(temporary, content)
            fs.mv(temporary, f"{inside}/{name}")

    def write_new(self, name: str, content: bytes) -> bool:
        """Write a file only if no file of that name exists; return whether this call wrote it."""
        if self.path is None:
            # S3 and Google's store create exclusively. On others check first, and read back which writer won a tie.
            if name in self.list_names() or not self._put_new(name, content):
                return False
            return self.read(name) == content
        with self.explain_errors():
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                with (self.path / name).open("xb") as file:
                    file.write(content)
            except FileExistsError:
                return False
            except OSError:
                (self.path / name).unlink(missing_ok=True)
                raise
        return True

    def _put_new(self, name: str, content: bytes) -> bool:
        if urlsplit(self.url).scheme not in ATOMIC_STORES:
            self.write(name, content)
            return True
        with self.explain_errors():
            fs, inside = self._file_system()
            try:
                fs.pipe_file(f"{inside}/{name}", content, mode="create")
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> None:
        """Remove a file; do nothing where it does not exist."""
        with self.explain_errors():
            if self.path is not None:
                (self.path / name).unlink(missing_ok=True)
                return
            fs, inside = self._file_system()
            try:
                fs.rm_file(f"{inside}/{name}")
            except FileNotFoundError:
                return

    def rename(self, target: Folder) -> None:
        """Rename this folder to ``target``, which is in the same storage."""
        with self.explain_errors():
            if self.path is not None and target.path is not None:
                self.path.rename(target.path)
                return
            fs, inside = self._file_system()
            target_path = target._file_system()[1]
            if urlsplit(self.url).scheme not in OBJECT_STORES:
                fs.mv(inside, target_path, recursive=True)
                return
            names = fs.find(inside)
            for name in names:
                fs.cp_file(name, target_path + name.removeprefix(inside))
            # Remove the originals last: a reader, or a crash in between, still finds all of them.
            fs.rm(names)

    def _file_system(self) -> tuple[Any, str]:
        """Return (fsspec's file system, path in it). Listings are not cached, because other hosts write there too."""
        import fsspec

        fs, inside = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        return fs, inside

    @contextmanager
    def explain_errors(self) -> Iterator[None]:
        """Turn every error of the storage inside the block into a HarnessError."""
        try:
            yield
        except HarnessError:
            raise
        except ImportError as error:
            raise HarnessError(
                f"this kind of storage needs a package that is not installed: {error}",
                where=f"--storage {self.url}",
                remedy="Install that package, or use a local directory.",
            ) from error
        except Exception as error:
            # Each of fsspec's file systems raises the error classes of its own library.
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
            full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
            raise HarnessError(
                f"{'the disk is full' if full else 'the storage of checkpoints does not respond'}: {reason}",
                where=str(self),
                remedy="Free some space on it." if full else "Check the address and its credentials.",
            ) from error
