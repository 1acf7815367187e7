"""The probe of a machine: versions, free disk, which parts of Ray run, the cluster's token, and its MLflow server.

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
    # On the head, the texts of these two files run before this text and define the functions.
    from harness.clusters.remote.services_probe import find_record, list_missing_ray_parts
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


def find_token() -> str:
    """Return the cluster's token from the place where Ray reads it; empty if there is none."""
    variable = os.environ.get("RAY_AUTH_TOKEN")
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        return variable or file.read_text().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    state = {"token": find_token(), "missing": list_missing_ray_parts(), **find_record()}
    print(OUTPUT_MARK + json.dumps({**describe_machine(), **state}))
