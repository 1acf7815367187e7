"""The user's cache directory: data sets, their fingerprints, and costs of external networks."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """Return the cache directory: ``DEPTHBENCH_CACHE`` where it is set, else the platform's usual one."""
    return Path(os.environ.get("DEPTHBENCH_CACHE", platformdirs.user_cache_dir("depthbench")))
