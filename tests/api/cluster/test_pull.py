"""The report of a cluster is read from its MLflow server alone, with the credentials of the head."""

import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.api.cluster import pull as pulling
from harness.api.cluster.job_target import JobTarget
from harness.api.cluster.pull import pull
from harness.clusters.remote.head import Head
from harness.errors import HarnessError
from harness.settings import Settings
from harness.tracking import results_csv

TARGET = JobTarget(Path("c.yaml"))
HERE, THERE = "http://127.0.0.1:41000", "http://10.0.0.1:5000"


@pytest.fixture
def cluster(monkeypatch):
    """Return what the head's probe finds; the tunnel leads to HERE if the head has a server."""
    found = {"store": THERE, "user": "depthbench", "password": "pw", "missing": [], "token": ""}
    heads = []

    @contextmanager
    def open_tunnel(self, tracking_uri):
        heads.append(self)
        yield HERE if tracking_uri and found["answers"] else ""

    found["answers"] = True
    monkeypatch.setattr(Head, "describe", lambda self: found)
    monkeypatch.setattr(Head, "open_record_tunnel", open_tunnel)
    found["heads"] = heads
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Let the report be written without a record; return the settings and credentials that it was read with."""
    calls = SimpleNamespace(settings=None, credentials=None, missing=[])

    def write(name, settings):
        calls.settings = settings
        calls.credentials = [os.environ.get(f"MLFLOW_TRACKING_{part}") for part in ("USERNAME", "PASSWORD")]
        return [], tmp_path / "README.md"

    monkeypatch.setattr(pulling, "report", write)
    monkeypatch.setattr(results_csv, "read_csv", lambda path: calls)
    return calls


def test_record_is_read_through_the_tunnel_with_the_head_s_credentials(cluster, written):
    notes = []
    pull("quick", TARGET, Settings(), notes.append)
    assert written.settings.tracking_uri == HERE and written.credentials == ["depthbench", "pw"]
    assert not notes
    assert "MLFLOW_TRACKING_PASSWORD" not in os.environ, "the credentials hold for the tunnel alone"
    assert [each.needs_ray for each in cluster["heads"]] == [False]


def test_own_credentials_are_used_if_the_head_has_none_and_come_back_after(cluster, written, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "mine")
    pull("quick", TARGET, Settings())
    assert written.credentials == ["depthbench", "pw"] and os.environ["MLFLOW_TRACKING_PASSWORD"] == "mine"
    cluster.update(user="", password="")
    pull("quick", TARGET, Settings())
    assert written.credentials == ["me", "mine"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [([], "No trial is missing."), ([1], "1 trial is not in it"), ([1, 2], "2 trials are not in it")],
)
def test_record_that_outlived_ray_is_read_and_what_it_lacks_is_said(cluster, written, missing, words):
    cluster["missing"], written.missing, notes = ["gcs_server", "raylet"], missing, []
    pull("quick", TARGET, Settings(), notes.append)
    assert len(notes) == 1 and notes[0].startswith("Ray does not run on the head") and words in notes[0]
    assert ("ray up c.yaml" in notes[0]) == bool(missing)


@pytest.mark.parametrize(
    ("store", "ray", "what"),
    [
        (THERE, [], f"the MLflow server {THERE} of the cluster does not answer"),
        ("", [], "no MLflow server runs on the head"),
        ("", ["raylet"], "no MLflow server runs on the head, and no Ray"),
    ],
)
def test_head_without_a_server_is_an_error_that_names_the_file(cluster, written, store, ray, what):
    cluster.update(store=store, missing=ray, answers=False)
    with pytest.raises(HarnessError) as caught:
        pull("quick", TARGET, Settings())
    assert caught.value.what == what and caught.value.where == "--cluster c.yaml"
    assert "harness report quick --tracking-uri" in caught.value.remedy


@pytest.mark.parametrize(
    ("what", "remedy", "expected"),
    [
        ("the tracking server needs a user name and a password, or refuses those given", "Set X", "pkill mlflow"),
        (f"the server {HERE} has no such thing", "Check --tracking-uri.", "harness status"),
        ("no experiment 'quick' is recorded", "Use one of: durability.", "Use one of: durability."),
    ],
)
def test_error_of_the_record_names_the_cluster_and_not_the_tunnel(cluster, monkeypatch, what, remedy, expected):
    def fail(name, settings):
        raise HarnessError(what, where=f"--tracking-uri {HERE}", remedy=remedy)

    monkeypatch.setattr(pulling, "report", fail)
    with pytest.raises(HarnessError) as caught:
        pull("quick", TARGET, Settings())
    assert caught.value.where == "--cluster c.yaml" and expected in caught.value.remedy
    assert HERE not in str(caught.value) and "pw" not in str(caught.value)


def test_address_of_a_job_server_leads_to_no_record():
    with pytest.raises(HarnessError, match="--address http://h:8265"):
        pull("quick", JobTarget(address="http://h:8265"), Settings())
