"""Reading the artifacts of a run, also from a store that was moved together with them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError
from harness.tracking.mlflow_record.store.store_errors import redact_message

if TYPE_CHECKING:
    from mlflow import MlflowClient


def read_artifact(client: MlflowClient, run_id: str, name: str, artifact_root: Path | None) -> bytes:
    """Return the content of an artifact.

    Args:
        name: Its path within the run.
        artifact_root: The directory in which a store without a server keeps artifacts now.

    Raises:
        HarnessError: There is no such artifact, or it cannot be read.
    """
    location = urlsplit(f"{client.get_run(run_id).info.artifact_uri}/{name}")
    if location.scheme == "file":
        path = Path(unquote(location.path))
        candidates = [path]
        if artifact_root is not None:
            # MLflow keeps absolute paths. The store may have been moved since, and its artifacts with it.
            candidates.append(artifact_root.joinpath(*path.parts[-3 - len(Path(name).parts) :]))
        for candidate in candidates:
            if candidate.is_file():
                return candidate.read_bytes()
    with TemporaryDirectory() as folder:
        try:
            return Path(client.download_artifacts(run_id, name, folder)).read_bytes()
        except Exception as error:
            raise HarnessError(
                f"the artifact {name} cannot be read: {redact_message(error)}",
                where=f"MLflow run {run_id}",
                remedy="Check that the store's artifacts are beside the store, or on its server, as before.",
            ) from error
