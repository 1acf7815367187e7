"""The probe of a head's services: which parts of Ray do not run, and where the MLflow server of the record is.

The text of this file is run on the head over ssh. Therefore it uses the standard library only.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

JOB_SERVER = "http://127.0.0.1:8265"
"""Address of Ray's job server on the head."""
RAY_PROCESSES = ("gcs_server", "raylet")
"""Names of the processes without which no job runs on the head."""
ANSWER_SECONDS = 10
CREDENTIALS = (
    ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
    ("MLFLOW_AUTH_ADMIN_USERNAME", "MLFLOW_AUTH_ADMIN_PASSWORD"),
)
"""Variables with the user and the password of an MLflow server: those of its clients, and those of the server."""


def list_missing_ray_parts() -> list[str]:
    """Return the parts of Ray that a head has and that do not run on this machine; empty if Ray runs."""
    running = {name for name, *_ in _list_processes()}
    missing = [name for name in RAY_PROCESSES if name not in running]
    if missing:
        return missing
    try:
        opener = build_opener(ProxyHandler({}))
        opener.open(JOB_SERVER + "/api/gcs_healthz", timeout=ANSWER_SECONDS).close()
    except HTTPError as error:
        return ["gcs_server"] if error.code == 503 else []
    except (OSError, ValueError):
        return ["job server"]
    return []


def find_record() -> dict[str, str]:
    """Return address, user and password of the MLflow server that Ray's processes use, or that outlived them.

    Ray's own processes know it best. Without them, it is the server that runs on this machine, then the one that a
    login shell uses. An address at which nothing answers comes last.

    Returns:
        The values of ``store``, ``user`` and ``password``; empty where they are not known.
    """
    candidates = list(_list_records())
    for record in candidates:
        if _has_server(record["store"]):
            return record
    return candidates[0] if candidates else {"store": "", "user": "", "password": ""}


def _list_records() -> Iterator[dict[str, str]]:
    """Yield the MLflow servers that this machine may use, the most certain one first."""
    processes = list(_list_processes())
    for name, _, variables in processes:
        if name in RAY_PROCESSES and variables.get("MLFLOW_TRACKING_URI"):
            yield _describe_record(variables["MLFLOW_TRACKING_URI"], variables)
    for _, words, variables in processes:
        if uri := _find_served_uri(words, variables):
            yield _describe_record(uri, variables)
    if os.environ.get("MLFLOW_TRACKING_URI"):
        yield _describe_record(os.environ["MLFLOW_TRACKING_URI"], dict(os.environ))


def _describe_record(uri: str, variables: dict[str, str]) -> dict[str, str]:
    """Return an MLflow server with the credentials that a process, or else the login shell, has for it."""
    for source in (variables, dict(os.environ)):
        for user, password in CREDENTIALS:
            if source.get(user) and source.get(password):
                return {"store": uri, "user": source[user], "password": source[password]}
    return {"store": uri, "user": "", "password": ""}


def _find_served_uri(words: list[str], variables: dict[str, str]) -> str:
    """Return the address of the MLflow server that a process is; empty if it is another program."""
    names = [word.rpartition("/")[2] for word in words[:4]]
    if "mlflow" not in names or not {"server", "ui"} & set(words[1:5]):
        return ""
    options = {}
    for number, word in enumerate(words):
        name, equals, text = word.partition("=")
        options[name] = text if equals else "".join(words[number + 1 : number + 2])
    host = options.get("--host") or options.get("-h") or variables.get("MLFLOW_HOST") or "127.0.0.1"
    port = options.get("--port") or options.get("-p") or variables.get("MLFLOW_PORT") or "5000"
    host = "127.0.0.1" if host in ("0.0.0.0", "::", "*") else host  # noqa: S104 (such a server answers there too)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _has_server(uri: str) -> bool:
    """Return whether a program accepts connections at the address of a URI."""
    try:
        parts = urlsplit(uri)
        address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        with socket.create_connection(address, timeout=ANSWER_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _list_processes() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield name, command line and variables of each process on this machine.

    A process that has ended and was not collected yet has no command line, and is left out. The variables of other
    users' processes are left out too.
    """
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            words = (process / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        except OSError:
            continue
        if words == [""]:
            continue
        variables = {}
        with suppress(OSError):
            if process.stat().st_uid == os.getuid():
                lines = (process / "environ").read_bytes().decode(errors="replace").split("\0")
                variables = {line.partition("=")[0]: line.partition("=")[2] for line in lines}
        yield name, words, variables
