"""The errors of Ray's job client, as errors of this project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.clusters.remote.ssh import ClusterUnreachable
from harness.errors import HarnessError


@contextmanager
def convert_job_errors(place: str, is_tunnel: bool) -> Iterator[None]:
    """Convert the errors of Ray's client.

    Args:
        place: What the user gave for the cluster.
        is_tunnel: Whether the user gave a file, so that the token comes from the head.

    Raises:
        HarnessError: The server refuses the request, or Ray's client is not installed.
        ClusterUnreachable: The server does not answer.
    """
    try:
        yield
    except HarnessError:
        raise
    except ImportError as error:
        raise HarnessError(
            "Ray's job client is not installed", where=place, remedy="Install depthbench[cluster]."
        ) from error
    except Exception as error:
        name, message = type(error).__name__, str(error).strip().partition("\n")[0]
        if name == "AuthenticationError":
            raise HarnessError(
                "the cluster needs its token, and "
                + ("the head's file has another one" if is_tunnel else "this machine has another token or none"),
                where=place,
                remedy="Ray was started with an earlier ~/.ray/auth_token: run `ray up` with this file again."
                if is_tunnel
                else "Set RAY_AUTH_TOKEN here to the content of the head's ~/.ray/auth_token.",
            ) from error
        if "status code 404" in message:
            raise HarnessError(
                "the cluster has no such job",
                where=place,
                remedy="The cluster was started again after the job was sent. The same `harness run` sends it again: "
                "its trials resume from their checkpoints.",
            ) from error
        # A status of 400 to 499 will not change by trying again. Other errors may be a broken connection.
        if isinstance(error, ValueError) or "status code 4" in message:
            raise HarnessError(
                f"the job server refuses: {message[:300]}",
                where=place,
                remedy="Check that the cluster has the same version of Ray as this machine.",
            ) from error
        raise ClusterUnreachable(
            f"the job server does not answer: {message[:200] or name}", where=place, remedy="Try again."
        ) from error
