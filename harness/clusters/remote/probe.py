"""The probe of a machine: versions, free disk, the cluster's token and its tracking URI.

The text of this file is run on the head over ssh. Therefore it uses the standard library only.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

if __name__ != "__main__":
    # On the head, the text of harness/version.py runs before this text and defines the function.
    from harness.version import source_version

OUTPUT_MARK = "DEPTHBENCH-HEAD "
"""Begins the line of the result, because a login shell may print other lines."""


def describe_machine() -> dict[str, Any]:
    """Return the versions of Python, Ray and Depthbench, and the free bytes where a job writes."""
    return {
        "python": platform.python_version(),
        "ray": _version("ray"),
        "depthbench": source_version(),
        "free": _free_bytes(),
    }


def _version(package: str) -> str:
    """Return the installed version of a package; empty if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _free_bytes() -> dict[str, int]:
    """Return the free bytes of two directories: Ray unpacks jobs in the first, and MLflow's store is in the second."""
    directories = (tempfile.gettempdir(), str(Path.home()))
    return {directory: shutil.disk_usage(directory).free for directory in directories}


def find_tracking_uri() -> str:
    """Return the MLFLOW_TRACKING_URI of Ray's processes on this machine; empty if there is none."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() not in ("raylet", "gcs_server"):
                continue
            variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        for variable in variables:
            if variable.startswith("MLFLOW_TRACKING_URI="):
                return variable.partition("=")[2]
    return ""


def find_token() -> str:
    """Return the cluster's token from the place where Ray reads it; empty if there is none."""
    variable = os.environ.get("RAY_AUTH_TOKEN")
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        return variable or file.read_text().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    print(OUTPUT_MARK + json.dumps({**describe_machine(), "token": find_token(), "store": find_tracking_uri()}))
