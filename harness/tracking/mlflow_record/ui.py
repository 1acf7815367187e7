"""The MLflow UI on the right store, on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from harness.errors import HarnessError, Interrupted, suggest_nearest
from harness.tracking.mlflow_record.client import NO_STORE, open_store, find_sqlite_file, choose_tracking_uri, redact_passwords
from harness.tracking.mlflow_record.reader import list_experiment_names

HOST = "127.0.0.1"
VIEW = "compareRunsMode=CHART&workflowType=machine_learning"
"""The charts of training runs; by itself MLflow opens at what it has for language models."""
QUICK = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""A dozen processes that run jobs of MLflow's own, which nobody here gives it."""


def serve_ui(option: str | None, home: Path, experiment: str | None, port: int, console: Console) -> int:
    """Serve until interrupted; for a tracking server that runs already, say where it is.

    Args:
        experiment: To open at; None: the only one there is, else MLflow's list of all.

    Returns:
        The exit status.

    Raises:
        HarnessError: There is no store yet, or the port is taken.
    """
    uri = choose_tracking_uri(option, home)
    file = find_sqlite_file(uri)
    if uri == NO_STORE or (file is not None and not file.exists()):
        raise HarnessError(
            "there is no store yet",
            where=redact_passwords(uri),
            remedy="Run an experiment first: harness run quickstart",
        )
    client = open_store(uri)
    names = list_experiment_names(client)
    if experiment is None and len(names) == 1:
        experiment = names[0]
    found = client.get_experiment_by_name(experiment) if experiment else None
    if experiment and found is None:
        raise HarnessError(
            f"no experiment '{experiment}' is recorded",
            where=redact_passwords(uri),
            remedy=suggest_nearest(experiment, names) or f"Run it first: harness run {experiment}",
        )
    page = f"/#/experiments/{found.experiment_id}/runs?{VIEW}" if found else ""
    if uri.startswith("http"):
        console.print(f"The store is a server already: {redact_passwords(uri).rstrip('/')}{page}")
        return 0
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise HarnessError(f"port {port} is taken", where="--port", remedy=f"Try --port {port + 1}.")
    console.print(f"MLflow UI: http://{HOST}:{port}{page or '/'}   (Ctrl-C ends it)", soft_wrap=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    # The artifacts of a database's experiments are files of this machine, which the server reads in place.
    command += ["--serve-artifacts", "--artifacts-destination", str(home.absolute() / "artifacts")]
    # The address may hold a password, and everybody on the machine sees a command line.
    environment = QUICK | {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    server = subprocess.Popen(command, env=environment)  # noqa: S603 (our own words and a checked port)
    try:
        return server.wait()
    except Interrupted:
        server.terminate()
        server.wait(10)
        return 0
