"""Check that every host of a cluster reaches the experiment's checkpoints and its record."""

from __future__ import annotations

from contextlib import suppress

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.io.storage_mark import ensure_mark, require_mark
from harness.launchers.ray.cluster_hosts import list_alive_nodes

TASK_SECONDS = 90
"""How long a host may take to look for the storage's mark."""


def require_shared_storage(storage: Folder) -> None:
    """Check that every host sees the checkpoints, because the trials of a dead host resume from them on another host.

    A host that joins later checks the same before its first trial, and the run ends if it fails there.

    Raises:
        HarnessError: A host sees another storage, or none.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = list_alive_nodes()
    if len(nodes) < 2:
        return
    task, mark = ray.remote(num_cpus=0, max_retries=0)(_find_error), ensure_mark(storage)
    references = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)).remote(
            storage, mark
        )
        for node in nodes
    ]
    for reference in ray.wait(references, num_returns=len(references), timeout=TASK_SECONDS)[0]:
        error = None
        # A host that has died in the meantime does not matter.
        with suppress(ray.exceptions.RayError):
            error = ray.get(reference)
        if error is not None:
            what, where, remedy = error
            raise HarnessError(what, where=where, remedy=remedy)


def require_tracking_server(uri: str) -> None:
    """Check that trials on several hosts do not use a store in a file of one host.

    Raises:
        HarnessError: They would.
    """
    if uri.startswith("sqlite:") and len(list_alive_nodes()) > 1:
        raise HarnessError(
            "the MLflow store is a file of this host, and trials run on other hosts too",
            where="--tracking-uri",
            remedy="Start an MLflow server that all hosts reach, and set its address (or MLFLOW_TRACKING_URI).",
        )


def _find_error(storage: Folder, mark: str) -> tuple[str, str, str] | None:
    """On a host: return None if it sees the storage, else (what, where, remedy) of the error."""
    try:
        require_mark(storage, mark)
    except HarnessError as error:
        return error.what, error.where, error.remedy
    return None
