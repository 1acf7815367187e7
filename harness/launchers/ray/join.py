"""Join a Ray cluster that runs already, and explain why that fails."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import replace

from harness.errors import HarnessError
from harness.launchers.base import Notify
from harness.launchers.ray.address import ClusterAddress, require_ray_at
from harness.launchers.ray.local.processes import keep_signals


def join_cluster(address: ClusterAddress, wait: float, notify: Notify) -> None:
    """Connect this process to a cluster.

    Args:
        wait: Seconds to wait for a head that does not answer yet.
        notify: Receives once that it waits.

    Raises:
        HarnessError: No cluster answers, or it does not accept this process.
    """
    import ray

    found = _find_cluster(address) if address.address == "auto" else address
    require_ray_at(found, wait, notify)
    if found is address:
        _require_accepted_token(address)
    try:
        with keep_signals():
            # For ``auto``, and only then, Ray takes a token that lies in the home.
            ray.init(address=address.address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        raise explain_join(error, found) from error


def _require_accepted_token(address: ClusterAddress) -> None:
    """Check that the cluster accepts the token of this process, or needs none. Ray itself would try for 20 seconds.

    Raises:
        HarnessError: The cluster does not accept it.
    """
    from ray.exceptions import RayError

    with suppress(ImportError):
        from ray._raylet import GcsClient  # type: ignore[attr-defined]

        try:
            GcsClient(address=address.address)
        except RayError as error:
            if _is_about_token(error):
                raise explain_join(error, address) from error


def _is_about_token(error: BaseException) -> bool:
    return bool(re.search(r"authenticat|AuthToken", f"{type(error).__name__}: {error}", re.IGNORECASE))


def _find_cluster(address: ClusterAddress) -> ClusterAddress:
    """Return the address that Ray finds for ``auto``: of the last `ray start`, else of a process on this machine.

    Raises:
        HarnessError: It finds none.
    """
    from ray._private.services import get_ray_address_from_environment

    try:
        return replace(address, address=str(get_ray_address_from_environment("auto", None)), given="auto")
    except Exception as error:
        raise explain_join(error, address) from error


def explain_join(error: Exception, address: ClusterAddress) -> HarnessError:
    """Return the error for the user, from an exception of ``ray.init`` with the address of a cluster."""
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    text = "\n".join(str(cause) for cause in causes)
    versions = re.findall(r"Ray: (\S+)\s+Python: (\S+)", text)
    if "Version mismatch" in text and len(versions) == 2:
        (ray, python), (own_ray, own_python) = versions
        return address.error(
            f"the cluster runs Ray {ray} on Python {python}, and this process Ray {own_ray} on Python {own_python}",
            f"Install the cluster's versions here (`pip install ray=={ray}`), or this machine's on the cluster.",
        )
    if any(map(_is_about_token, causes)):
        return address.error(
            "the cluster asks for a token, and does not accept the one of this process",
            "Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to the content of ~/.ray/auth_token on the cluster's head.",
        )
    if "Could not find any running Ray instance" in text:
        return address.error("no Ray cluster runs on this machine", "Start one with `ray start --head`.")
    return address.error(
        f"no Ray cluster answers at this address: {str(error).strip().partition(chr(10))[0]}",
        "Check with `ray status` on the cluster's head that Ray runs there.",
    )
