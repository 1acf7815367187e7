"""The artifacts of a run or of a model. Those of a local store are files beside the store, wherever that is now.

MLflow records the absolute address of each run's artifacts. The store may have been moved or copied since: then the
recorded address leads to the original, or nowhere. So this module takes only the end of a recorded address, and reads
and writes below the directory in which the store keeps artifacts now. :mod:`harness.tracking.mlflow_record.store.
moved_store` writes the new addresses into the store, for MLflow's UI.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harness.errors import HarnessError, StoreUnavailable
from harness.io.atomic_files import write_atomic
from harness.tracking.mlflow_record.store.addresses import choose_artifact_root, parse_file_url, rebase_artifacts
from harness.tracking.mlflow_record.store.store_errors import redact_message

if TYPE_CHECKING:
    from mlflow import MlflowClient

TRANSIENT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EAGAIN)
"""Errors of a disk that may be over at a later try."""


class RunArtifacts:
    """The artifacts of one run.

    Args:
        client: A client of the store.
        home: Holds the artifacts of a store without a server that is no SQLite file. Only needed to read.

    Attributes:
        directory: Where they are on this machine; None where MLflow sends them to another place.
    """

    def __init__(self, client: MlflowClient, run_id: str, home: Path | None = None) -> None:
        self.client, self.run_id = client, run_id
        recorded = str(client.get_run(run_id).info.artifact_uri)
        self.directory = locate_artifacts(client.tracking_uri, recorded, home)

    def write_text(self, name: str, text: str) -> None:
        """Write an artifact, in place of an older one of that name.

        Raises:
            HarnessError: The directory of a local store cannot be written to.
            Exception: Whatever MLflow raises for another store.
        """
        if self.directory is None:
            self.client.log_text(self.run_id, text, name)
        else:
            _write(self.directory / name, text.encode())

    def add_files(self, source: Path) -> None:
        """Write all files below a directory as artifacts, as :meth:`write_text` does."""
        if self.directory is None:
            self.client.log_artifacts(self.run_id, str(source))
        else:
            copy_files(source, self.directory)

    def has(self, name: str) -> bool:
        """Return whether there is an artifact of this name."""
        if self.directory is None:
            return any(artifact.path == name for artifact in self.client.list_artifacts(self.run_id))
        return (self.directory / name).is_file()

    def list_names(self, folder: str) -> list[str]:
        """Return the names of the artifacts in a folder, with the folder; none where there is no such folder."""
        if self.directory is not None:
            return [f"{folder}/{path.name}" for path in sorted((self.directory / folder).glob("*")) if path.is_file()]
        return sorted(artifact.path for artifact in self.client.list_artifacts(self.run_id, folder))

    def read(self, name: str) -> bytes:
        """Return the content of an artifact.

        Raises:
            StoreUnavailable: It is there, and could not be read now.
            HarnessError: There is no such artifact, or it cannot be read.
        """
        try:
            if self.directory is not None:
                return (self.directory / name).read_bytes()
            with TemporaryDirectory() as folder:
                return Path(self.client.download_artifacts(self.run_id, name, folder)).read_bytes()
        except Exception as error:
            # MLflow says that an artifact does not exist also where its server has failed for a moment.
            if self.directory is None and self.has(name):
                raise StoreUnavailable(
                    f"the artifact {name} cannot be read now: {redact_message(error)}",
                    where=f"MLflow run {self.run_id}",
                    remedy="Run the same command again.",
                ) from error
            raise HarnessError(
                f"the artifact {name} cannot be read: {redact_message(error)}",
                where=f"MLflow run {self.run_id}",
                remedy="Check that the store's artifacts are beside the store, or on its server, as before.",
            ) from error


def locate_artifacts(uri: str, recorded: str, home: Path | None = None) -> Path | None:
    """Return the directory that a recorded address of artifacts means on this machine now.

    Args:
        uri: The tracking store.
        recorded: The address that MLflow recorded.
        home: The home in use, for a database server: it cannot be moved, but its artifacts in the home can.

    Returns:
        None where the address is no directory of a store of this project, so that only MLflow can read it.
    """
    path = parse_file_url(recorded)
    root = choose_artifact_root(uri, home or Path())
    if path is None or root is None:
        return None
    current = rebase_artifacts(path, root)
    if current is None or uri.startswith("sqlite:"):
        return current
    # Several homes can share a database server, so its addresses hold wherever they lead to something.
    return current if home is not None and not path.exists() and current.exists() else path


def copy_files(source: Path, target: Path) -> None:
    """Copy all files below a directory into another one; each appears whole.

    Raises:
        HarnessError: One of them cannot be read or written.
    """
    try:
        shutil.copytree(
            source, target, dirs_exist_ok=True, copy_function=lambda file, to: _write(Path(to), Path(file).read_bytes())
        )
    except (OSError, shutil.Error) as error:
        raise _unwritable(target, error) from error


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomic(path, content)
    except HarnessError as error:
        raise _unwritable(path, error.__cause__ or error) from error


def _unwritable(path: Path, error: BaseException) -> HarnessError:
    """Return the error for an artifact that cannot be written: a StoreUnavailable where a later try may succeed."""
    kind = StoreUnavailable if getattr(error, "errno", None) in TRANSIENT else HarnessError
    return kind(
        f"this artifact cannot be written: {getattr(error, 'strerror', None) or error}",
        where=str(path),
        remedy="Check the directory's permissions and the space on its disk. Checkpoints keep what was trained.",
    )
