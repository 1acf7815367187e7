"""Where checkpoints lie: a directory of this machine, or any URL that fsspec knows (s3://, gs://, sftp://, ...)."""

from __future__ import annotations

import errno
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

from harness.errors import HarnessError
from harness.io.atomic_files import require_writable, write_atomic

MARK = ".depthbench-storage"
"""In a storage: a name of its own, by which a worker knows whether it sees the storage of its driver."""
SETTLED_SECONDS = 1.0
"""After which a tie between two who write a file for the first time is over, on stores without exclusive creation."""
OBJECTS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss"}
"""Stores of objects, which lie in no folders: what looks like one is the beginning of their names."""
PUT_WHOLE = OBJECTS | {"memory"}
"""Stores whose objects appear whole by themselves; elsewhere a file is written beside its name, then moved."""


class WrongStorage(HarnessError):
    """A host sees another storage than the one that runs the experiment."""


@dataclass(frozen=True)
class Folder:
    """A directory whose files appear whole or not at all. Workers are told of it, so it can be pickled.

    Every method raises HarnessError where the storage does not answer.
    """

    url: str

    @classmethod
    def at(cls, place: str | Path) -> Folder:
        """The folder at a path (made absolute: workers run elsewhere) or URL.

        Raises:
            HarnessError: The URL's kind is unknown, its package is not installed, or a password stands in it.
        """
        text = str(place)
        if text.startswith("file://"):
            text = text.removeprefix("file://")
        if "://" not in text:
            return cls(str(Path(text).expanduser().absolute()))
        if urlsplit(text).password is not None:
            raise HarnessError(
                "a password stands in the address, which is recorded and shown",
                where="--storage",
                remedy="Give credentials the way the storage's own library reads them from the environment.",
            )
        folder = cls(text.rstrip("/"))
        with folder._answering():
            folder._remote()
        return folder

    @property
    def path(self) -> Path | None:
        """As a local path; None at a URL."""
        return None if "://" in self.url else Path(self.url)

    @property
    def name(self) -> str:
        """Its last part."""
        return self.url.rpartition("/")[2]

    def __truediv__(self, name: str) -> Folder:
        return Folder(f"{self.url}/{name}")

    @property
    def parent(self) -> Folder:
        """The folder that it is in."""
        return Folder(self.url.rpartition("/")[0])

    def __str__(self) -> str:
        return self.url

    def require_writable(self) -> None:
        """Refuse early what could not be written to later; leaves nothing behind."""
        if self.path is not None:
            require_writable(self.path)
            return
        name = f".probe-{uuid4().hex}"
        self.write(name, b"")
        self.remove(name)

    def names(self) -> list[str]:
        """Names of the files and folders inside, sorted; none where the folder is not there yet."""
        if self.path is not None:
            with self._answering():
                return sorted(entry.name for entry in self.path.iterdir()) if self.path.is_dir() else []
        with self._answering():
            fs, inside = self._remote()
            try:
                return sorted(str(name).rstrip("/").rpartition("/")[2] for name in fs.ls(inside, detail=False))
            except FileNotFoundError:
                return []

    def size(self, name: str) -> int:
        """Bytes of a file."""
        with self._answering():
            if self.path is not None:
                return (self.path / name).stat().st_size
            fs, inside = self._remote()
            return int(fs.size(f"{inside}/{name}"))

    def read(self, name: str) -> bytes:
        """The content of a file."""
        with self._answering():
            if self.path is not None:
                return (self.path / name).read_bytes()
            fs, inside = self._remote()
            content: bytes = fs.cat_file(f"{inside}/{name}")
            return content

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file to read from in parts: of a large one, only those are fetched."""
        with self._answering():
            if self.path is not None:
                opened = (self.path / name).open("rb")
            else:
                fs, inside = self._remote()
                opened = fs.open(f"{inside}/{name}", "rb")
        with opened as file:
            yield file

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole, over one of that name."""
        if self.path is not None:
            write_atomic(self.path / name, content)
            return
        with self._answering():
            fs, inside = self._remote()
            if urlsplit(self.url).scheme in PUT_WHOLE:
                fs.pipe_file(f"{inside}/{name}", content)
                return
            fs.makedirs(inside, exist_ok=True)
            beside = f"{inside}/.{name}.{uuid4().hex}"
            fs.pipe_file(beside, content)
            fs.mv(beside, f"{inside}/{name}")

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that is not there yet; False where it is."""
        if self.path is None:
            # Exclusive where the store itself can do it (S3, Google's). Elsewhere: look, and read who won a tie.
            if name in self.names() or not self._put_new(name, content):
                return False
            return self.read(name) == content
        with self._answering():
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
        if urlsplit(self.url).scheme not in PUT_WHOLE:
            self.write(name, content)
            return True
        with self._answering():
            fs, inside = self._remote()
            try:
                fs.pipe_file(f"{inside}/{name}", content, mode="create")
            except FileExistsError:
                return False
        return True

    def mark(self) -> str:
        """Its own name, which it gets when it is asked for the first time."""
        if not self._found_mark():
            mine = uuid4().hex.encode()
            if self.path is not None:
                # Whole or not at all: another process may read it at once.
                beside = self.path / f"{MARK}.{mine.decode()}"
                write_atomic(beside, mine)
                with self._answering(), suppress(FileExistsError):
                    os.link(beside, self.path / MARK)
                self.remove(beside.name)
            elif self.create(MARK, mine):
                time.sleep(SETTLED_SECONDS)
        return self.read(MARK).decode()

    def require_mark(self, mark: str) -> None:
        """Refuse another folder of the same path or URL, such as one that is not mounted on this host.

        Raises:
            Elsewhere: It is one.
            HarnessError: The storage does not answer.
        """
        seen = self._found_mark()
        if seen != mark:
            raise WrongStorage(
                f"{socket.gethostname()} does not see the checkpoints of the host that runs the experiment: "
                + ("another storage lies there" if seen else "nothing of them is there"),
                where=f"--storage {self}",
                remedy="Use a place that all hosts share and that outlives them: s3://bucket/prefix, or a directory of "
                "NFS mounted everywhere at the same path (DEPTHBENCH_STORAGE).",
            )

    def _found_mark(self) -> str:
        """Empty where there is none. Read and not looked for: a list of ten thousand trials takes a store seconds."""
        try:
            return self.read(MARK).decode()
        except HarnessError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ""
            raise

    def remove(self, name: str) -> None:
        """Remove a file; fine where it is gone already."""
        with self._answering():
            if self.path is not None:
                (self.path / name).unlink(missing_ok=True)
                return
            fs, inside = self._remote()
            try:
                fs.rm_file(f"{inside}/{name}")
            except FileNotFoundError:
                return

    def move(self, target: Folder) -> None:
        """Give the whole folder another name beside it."""
        with self._answering():
            if self.path is not None and target.path is not None:
                self.path.rename(target.path)
                return
            fs, inside = self._remote()
            there = target._remote()[1]
            if urlsplit(self.url).scheme not in OBJECTS:
                fs.mv(inside, there, recursive=True)
                return
            names = fs.find(inside)
            for name in names:
                fs.cp_file(name, there + name.removeprefix(inside))
            # Whoever looks meanwhile, or after a crash, finds the old ones whole.
            fs.rm(names)

    def _remote(self) -> tuple[Any, str]:
        """The file system of a URL, and the path in it. Listings are not cached: others write there too."""
        import fsspec

        fs, inside = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        return fs, inside

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except HarnessError:
            raise
        except ImportError as error:
            raise HarnessError(
                f"this kind of storage needs a package that is not installed: {error}",
                where=f"--storage {self.url}",
                remedy="Install it, or use a directory.",
            ) from error
        except Exception as error:
            # Each file system of fsspec has errors of its own library.
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
            full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
            raise HarnessError(
                f"{'the disk is full' if full else 'the storage of checkpoints does not answer'}: {reason}",
                where=str(self),
                remedy="Make room on it." if full else "Check the address and its credentials.",
            ) from error


@dataclass(frozen=True, order=True)
class Checkpoint:
    """What the name of a checkpoint tells; ordered from old to new.

    The attempt comes first: whatever a host that was cut off still writes, it never outranks the attempt that
    replaced it.

    Attributes:
        attempt: Number of the attempt that wrote it.
        epoch: Epochs that were done.
        step: Steps done in the epoch after these; 0 at an epoch's end.
    """

    attempt: int
    epoch: int
    step: int = 0

    @property
    def name(self) -> str:
        """File name in the trial's folder."""
        return f"checkpoint-{self.attempt:04d}-{self.epoch:06d}-{self.step:08d}.zip"

    @property
    def position(self) -> tuple[int, int]:
        """(epochs done, steps done in the next)."""
        return self.epoch, self.step


def checkpoints(folder: Folder) -> list[Checkpoint]:
    """A trial's checkpoints, newest first."""
    found = (re.fullmatch(r"checkpoint-(\d+)-(\d+)-(\d+)\.zip", name) for name in folder.names())
    return sorted((Checkpoint(*map(int, match.groups())) for match in found if match), reverse=True)
