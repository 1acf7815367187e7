"""The probe that the head runs over ssh is one program of the standard library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.clusters.remote.head import Head
from harness.clusters.remote.probe import describe_machine
from harness.clusters.remote.ssh import RayStopped


@pytest.fixture
def here(monkeypatch):
    """Run commands for the head on this machine, in a shell whose Python is this one."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(self, command):
        return subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True).stdout

    monkeypatch.setattr(Head, "_run", run)
    return Head(Path("my cluster.yaml"))


def test_description_of_a_head_has_its_versions_services_and_record(here, monkeypatch):
    description = here.describe()
    machine = describe_machine()
    assert {key: description[key] for key in ("python", "ray", "depthbench")} == {
        key: machine[key] for key in ("python", "ray", "depthbench")
    }
    assert {"token", "missing", "store", "user", "password"} <= set(description)


def test_head_without_a_part_of_ray_is_told_with_the_command_that_starts_it():
    with pytest.raises(RayStopped) as caught:
        Head(Path("my cluster.yaml")).require_ray({"missing": ["gcs_server", "raylet"]})
    assert caught.value.what == "Ray has stopped on the head: its gcs_server and its raylet do not run"
    assert "`ray up 'my cluster.yaml'`" in caught.value.remedy
    Head(Path("my cluster.yaml")).require_ray({"missing": []})
