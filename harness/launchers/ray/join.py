"""Join a Ray cluster that runs already, and explain why that fails."""

from __future__ import annotations

import logging
import re

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
    require_ray_at(address, wait, notify)
    import ray

    try:
        with keep_signals():
            ray.init(address=address.address, log_to_driver=False, logging_level=logging.ERROR)
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
    if type(error).__name__ == "AuthenticationError" or "authentication" in text.lower() or "Unauthenticated" in text:
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
