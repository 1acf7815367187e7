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


LOCAL = "cluster_name: {name}\nprovider: {{type: local, head_ip: 10.9.0.1, worker_ips: []}}\nauth: {{ssh_user: me}}\n"


def test_machine_of_ones_own_is_reached_without_ray_only_where_that_suffices(tmp_path):
    """After `ray down`, Ray knows of no head, but MLflow may still run on the machine."""
    file = tmp_path / "c.yaml"
    file.write_text(LOCAL.format(name=f"none-{tmp_path.name}"))
    with pytest.raises(HarnessError, match="no head of this cluster runs"):
        build_ssh_command(file, "true")
    assert "me@10.9.0.1" in build_ssh_command(file, "true", needs_ray=False)


def test_file_name_with_a_blank_is_quoted_in_the_remedy(tmp_path):
    file = tmp_path / "my cluster.yaml"
    file.write_text(LOCAL.format(name=f"none-{tmp_path.name}"))
    with pytest.raises(HarnessError) as caught:
        build_ssh_command(file, "true")
    assert f"ray up '{file}'" in caught.value.remedy
