"""The errors of Ray's cluster launcher are reported with their reason."""

import pytest
from ray.autoscaler._private import commands

from harness.clusters.remote.ssh import ClusterUnreachable, build_ssh_command
from harness.errors import HarnessError

CLUSTER = "cluster_name: x\nprovider: {type: aws, region: us-east-1}\nauth: {ssh_user: me}\n"


def test_machine_without_a_network_cannot_reach_the_cluster(tmp_path, monkeypatch):
    from botocore.exceptions import EndpointConnectionError

    (tmp_path / "c.yaml").write_text(CLUSTER)

    def fail(*_, **__):
        raise EndpointConnectionError(endpoint_url="https://ec2.example")

    monkeypatch.setattr(commands, "_bootstrap_config", fail)
    with pytest.raises(ClusterUnreachable, match="cannot be reached"):
        build_ssh_command(tmp_path / "c.yaml", "true")


def test_reason_that_ray_printed_is_reported(tmp_path, monkeypatch):
    (tmp_path / "c.yaml").write_text(CLUSTER)

    def abort(*_, **__):
        print("Your AWS session has expired.\n")
        raise SystemError("Exiting due to cli_logger.abort()")

    monkeypatch.setattr(commands, "_bootstrap_config", abort)
    with pytest.raises(HarnessError, match="Your AWS session has expired"):
        build_ssh_command(tmp_path / "c.yaml", "true")
