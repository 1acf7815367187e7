"""Why a process cannot join a Ray cluster: from the exceptions of Ray 2.60."""

import pytest

from harness.launchers.ray.address import ClusterAddress
from harness.launchers.ray.join import explain_join

VERSIONS = """Version mismatch: The cluster was started with:
    Ray: 2.50.0
    Python: 3.12.3
This process on node 10.0.0.2 was started with:
    Ray: 2.60.0
    Python: 3.11.2
"""
NO_TOKEN = "Token authentication is enabled but no authentication token was found"
CASES = {
    "versions": (
        RuntimeError(VERSIONS),
        "runs Ray 2.50.0 on Python 3.12.3, and this process Ray 2.60.0",
        "ray==2.50.0",
    ),
    "no token": (RuntimeError(NO_TOKEN), "asks for a token", "RAY_AUTH_TOKEN"),
    "none here": (
        ConnectionError("Could not find any running Ray instance. Please"),
        "runs on this",
        "ray start --head",
    ),
    "other": (ConnectionError("Failed to connect to GCS.\nmore"), "Failed to connect to GCS.", "ray status"),
}


@pytest.mark.parametrize("source", ["--address", "RAY_ADDRESS"])
@pytest.mark.parametrize("case", CASES)
def test_explain_join_names_the_cause_and_where_the_address_comes_from(case, source):
    error, what, word = CASES[case]
    outer = ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379")
    outer.__cause__ = error
    for each in (error, outer) if case != "other" else (error,):
        explained = explain_join(each, ClusterAddress("10.0.0.1:6379", source))
        assert explained.where.startswith(source) and what in explained.what and word in explained.remedy
        away = "leave --address out" if source == "--address" else "unset RAY_ADDRESS"
        assert away in explained.remedy
        assert "\n" not in str(explained)
