"""MLflow's UI, started on the store of the record, on the loopback interface."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from harness.errors import HarnessError, Interrupted, suggest_nearest
from harness.tracking.mlflow_record.experiment import list_experiment_names
from harness.tracking.mlflow_record.store.addresses import (
    NO_STORE,
    choose_tracking_uri,
    find_sqlite_file,
    redact_passwords,
)
from harness.tracking.mlflow_record.store.client import open_store
from harness.tracking.mlflow_record.store.moved_store import adopt_store, is_read_only

HOST = "127.0.0.1"
VIEW = "compareRunsMode=CHART&workflowType=machine_learning"
"""The charts of training runs. By default MLflow opens its pages for language models."""
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Without it the server starts about a dozen processes for MLflow's own jobs, which this project does not use."""
STOP_SECONDS = 10


def serve_ui(option: str | None, home: Path, experiment: str | None, port: int, console: Console) -> int:
    """Serve the UI until the user interrupts it; for a tracking server that already runs, print its address.

    Args:
        option: The option ``--tracking-uri``.
        experiment: The experiment whose page to print; None for the only one in the store, else MLflow's list of all.

    Returns:
        The exit status.

    Raises:
        HarnessError: There is no store or no such experiment yet, or the port is in use.
    """
    uri = choose_tracking_uri(option, home)
    file = find_sqlite_file(uri)
    if uri == NO_STORE or (file is not None and not file.exists()):
        raise HarnessError(
            "there is no store yet",
            where=redact_passwords(uri),
            remedy="Run an experiment first: harness run quickstart",
        )
    page = _find_page(uri, experiment)
    if not is_read_only(uri):
        # MLflow's server takes the addresses in the store as they are.
        adopt_store(uri)
    if uri.startswith("http"):
        console.print(f"The store is a server already: {redact_passwords(uri).rstrip('/')}{page}")
        return 0
    _require_free_port(port)
    console.print(f"MLflow UI: http://{HOST}:{port}{page or '/'}   (Ctrl-C ends it)", soft_wrap=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    # The artifacts of a database's experiments are files of this machine; the server reads them from there.
    command += ["--serve-artifacts", "--artifacts-destination", str(home.absolute() / "artifacts")]
    # All users of a machine can read a command line, and the address may hold a password.
    environment = ENVIRONMENT | {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    server = subprocess.Popen(command, env=environment)  # noqa: S603 (our own words and a checked port)
    try:
        return server.wait()
    except Interrupted:
        server.terminate()
        server.wait(STOP_SECONDS)
        return 0


def _find_page(uri: str, name: str | None) -> str:
    """Return the path of an experiment's page; empty where none is given and the store holds several."""
    client = open_store(uri)
    names = list_experiment_names(client)
    if name is None and len(names) == 1:
        name = names[0]
    experiment = client.get_experiment_by_name(name) if name else None
    if name and experiment is None:
        raise HarnessError(
            f"no experiment '{name}' is recorded",
            where=redact_passwords(uri),
            remedy=suggest_nearest(name, names) or f"Run it first: harness run {name}",
        )
    return f"/#/experiments/{experiment.experiment_id}/runs?{VIEW}" if experiment else ""


def _require_free_port(port: int) -> None:
    with socket.socket() as client:
        if client.connect_ex((HOST, port)) == 0:
            raise HarnessError(f"port {port} is in use", where="--port", remedy=f"Try --port {port + 1}.")
