"""A local Ray session: it listens on the loopback interface alone, and only processes with its token may talk to it."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from contextlib import suppress
from typing import Any

from harness.errors import HarnessError
from harness.launchers.ray.local.directory import create_directory, private_file
from harness.launchers.ray.local.failures import explain_start
from harness.launchers.ray.local.limits import choose_object_store, require_descriptors, require_file_size
from harness.launchers.ray.local.processes import RayProcesses

TOKEN_FILE = "auth_token"  # noqa: S105 (a name)
LOOPBACK_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's switch for clusters on macOS and Windows. Without clusters it listens on the loopback interface alone, and on
Linux too."""
NOT_FOR_LOCAL = ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_REDIS_ADDRESS", "RAY_NAMESPACE")
"""Variables that concern a cluster elsewhere, and that Ray would also use for a local one."""


class LocalRay:
    """A Ray cluster of this machine alone, for this process and those that it starts.

    Args:
        cores: The number of cores that Ray may use.

    Raises:
        HarnessError: Ray does not start. Nothing is left of it then.
    """

    def __init__(self, cores: int) -> None:
        require_descriptors(cores)
        require_file_size()
        self._processes, self._variables = RayProcesses(), dict[str, str | None]()
        self._directory = create_directory()
        try:
            options = choose_object_store(self._directory)
            self._set_variables()
            self._start(num_cpus=cores, **options)
        except BaseException:
            self._delete()
            raise

    def _set_variables(self) -> None:
        """Set the variables that Ray's processes inherit, with a token that is valid for this session alone."""
        token = self._directory / TOKEN_FILE
        with private_file(token) as descriptor:
            os.write(descriptor, secrets.token_hex(32).encode())
        variables: dict[str, str | None] = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            LOOPBACK_VARIABLE: "0",
            "RAY_TMPDIR": str(self._directory),
            # The traffic stays on this machine.
            "RAY_USE_TLS": "0",
            **dict.fromkeys(NOT_FOR_LOCAL),
        }
        self._variables = {name: os.environ.get(name) for name in variables}
        _set_environment(variables)

    def _start(self, **options: Any) -> None:
        import ray
        from ray.job_config import JobConfig

        try:
            self._processes.start(
                lambda: ray.init(
                    # Without an address Ray would join any cluster that runs on this machine.
                    address="local",
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    _temp_dir=str(self._directory),
                    # Ray would put the working directory first on the path of its workers. A file there could then
                    # replace any module. A network of a user's own brings its directory itself.
                    job_config=JobConfig(_client_job=True),
                    **options,
                )
            )
        except HarnessError:
            raise
        except Exception as error:
            raise explain_start(error, self._directory) from error

    def close(self) -> None:
        """Disconnect from Ray, end its processes, and delete its directory."""
        try:
            with suppress(Exception):
                self._processes.end()
        finally:
            self._delete()

    def _delete(self) -> None:
        """Kill what is left of Ray, delete the directory, and restore the environment."""
        self._processes.kill()
        shutil.rmtree(self._directory, ignore_errors=True)
        _set_environment(self._variables)


def _set_environment(variables: dict[str, str | None]) -> None:
    """Set environment variables, remove those that are None, and let Ray read them again."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    # Ray reads these variables once, when it is imported.
    with suppress(ImportError, AttributeError):
        from ray._private import ray_constants
        from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

        ray_constants.ENABLE_RAY_CLUSTER = ray_constants.env_bool(
            LOOPBACK_VARIABLE, not ray_constants.IS_WINDOWS_OR_OSX
        )
        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()
