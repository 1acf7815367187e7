"""What a machine has that matters to both sides of a cluster: versions, free disk, the cluster's token and store.

The head runs this file's text over ssh before anything is sent there, so it needs the standard library alone.
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
    # On the head the text of harness/version.py runs before this one.
    from harness.version import source_version

OUTPUT_MARK = "DEPTHBENCH-HEAD "
"""Before the one line that counts: a login shell may greet with lines of its own."""


def describe_machine() -> dict[str, Any]:
    """Versions of this machine's Python, Ray and Depthbench, and bytes free where a job writes."""
    return {
        "python": platform.python_version(),
        "ray": _version("ray"),
        "depthbench": source_version(),
        "free": _free(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _free() -> dict[str, int]:
    """Bytes by directory: Ray unpacks a job below the first, MLflow keeps its store in the home."""
    return {place: shutil.disk_usage(place).free for place in (tempfile.gettempdir(), str(Path.home()))}


def find_tracking_uri() -> str:
    """The tracking URI that Ray's processes on this machine have; empty where none runs, or none has one."""
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
    """The cluster's token as Ray finds it on this machine; empty where there is none."""
    given = os.environ.get("RAY_AUTH_TOKEN")
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        return given or file.read_text().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    print(OUTPUT_MARK + json.dumps({**describe_machine(), "token": find_token(), "store": find_tracking_uri()}))
