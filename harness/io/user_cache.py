"""The user's cache directory: data sets, their fingerprints, and costs of external networks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

from harness.errors import HarnessError
from harness.settings.user_paths import home_of_user, resolve_directory

CACHE_VARIABLE = "DEPTHBENCH_CACHE"


def cache_dir() -> Path:
    """Return the cache directory: ``DEPTHBENCH_CACHE`` where it is set and not empty, else the platform's usual one.

    Raises:
        HarnessError: The variable holds no usable path, or it is not set and this user has no home directory.
    """
    value = os.environ.get(CACHE_VARIABLE)
    if value:
        return resolve_directory(value, CACHE_VARIABLE)
    if sys.platform == "linux" and not os.environ.get("XDG_CACHE_HOME"):
        # platformdirs takes HOME as it is, also where it is empty or not set.
        return home_of_user(CACHE_VARIABLE) / ".cache" / "depthbench"
    return Path(platformdirs.user_cache_dir("depthbench"))


def make_cache_dir(name: str) -> Path:
    """Return a directory of the cache; create it where it is missing.

    Raises:
        HarnessError: It cannot be created.
    """
    directory = cache_dir() / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(
            f"the cache {directory} cannot be created: {error.strerror}",
            where=CACHE_VARIABLE,
            remedy=f"Set {CACHE_VARIABLE} to a directory that you may write to.",
        ) from error
    return directory


def provide_home() -> None:
    """Set HOME to the cache directory where this user has no home: MLflow cannot even be imported without one.

    It is called after the paths of the user were read, so that a ``~`` in them stays an error.

    Raises:
        HarnessError: ``DEPTHBENCH_CACHE`` is not set either.
    """
    try:
        home_of_user(CACHE_VARIABLE)
    except HarnessError:
        os.environ["HOME"] = str(cache_dir().absolute())
