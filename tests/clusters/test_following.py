"""A job is followed: what fails here is not what fails there."""

import asyncio
from types import SimpleNamespace

import pytest
from ray.autoscaler._private import commands

from harness.clusters.remote import job_server
from harness.clusters.remote.job_server import JobClient
from harness.clusters.remote.ssh import ClusterUnreachable, build_ssh_command
from harness.errors import HarnessError


def of(*said, silent=False):
    """A client whose job prints that."""

    async def tail(identity):
        for text in said:
            yield text
        if silent:
            await asyncio.sleep(3600)

    found = JobClient.__new__(JobClient)
    found.client, found.address = SimpleNamespace(tail_job_logs=tail), "http://head"
    return found


def test_what_was_seen_is_passed_over():
    shown = []
    assert of("one ", "two ", "three").follow("x", shown.append, seen=6) == 13
    assert shown == ["o ", "three"]


def test_a_silent_job_is_looked_at(monkeypatch):
    monkeypatch.setattr(job_server, "SILENT_SECONDS", 0.1)
    shown = []
    assert of("one", silent=True).follow("x", shown.append) == 3
    assert shown == ["one"]


@pytest.mark.parametrize("error", [BrokenPipeError(), UnicodeEncodeError("ascii", "\u2013", 0, 1, "no")])
def test_a_closed_pipe_is_no_lost_connection(error):
    def closed(text):
        raise error

    with pytest.raises(type(error)):
        of("one").follow("x", closed)


CLUSTER = "cluster_name: x\nprovider: {type: aws, region: us-east-1}\nauth: {ssh_user: me}\n"


def test_a_laptop_without_a_network_tries_again(tmp_path, monkeypatch):
    from botocore.exceptions import EndpointConnectionError

    (tmp_path / "c.yaml").write_text(CLUSTER)

    def asked(*_, **__):
        raise EndpointConnectionError(endpoint_url="https://ec2.example")

    monkeypatch.setattr(commands, "_bootstrap_config", asked)
    with pytest.raises(ClusterUnreachable, match="cannot be reached"):
        build_ssh_command(tmp_path / "c.yaml", "true")


def test_why_ray_gave_up_is_what_it_said(tmp_path, monkeypatch):
    (tmp_path / "c.yaml").write_text(CLUSTER)

    def expired(*_, **__):
        print("Your AWS session has expired.\n")
        raise SystemError("Exiting due to cli_logger.abort()")

    monkeypatch.setattr(commands, "_bootstrap_config", expired)
    with pytest.raises(HarnessError, match="Your AWS session has expired"):
        build_ssh_command(tmp_path / "c.yaml", "true")
