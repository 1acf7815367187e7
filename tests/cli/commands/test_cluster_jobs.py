"""Runs that are sent to a cluster, and jobs that are followed."""

import pytest

from harness.api.cluster import cluster_jobs, send
from harness.clusters.remote.job_server import Job
from harness.clusters.remote.sent_jobs import SentJob, save_sent_job
from harness.errors import HarnessError

SERVER = ["run", "quickstart", "--address", "http://head:8265"]


def make_job(state="SUCCEEDED", code=0, message=""):
    return Job(id="q-1", experiment="quickstart", state=state, message=message, started=1000, ended=2000, code=code)


@pytest.fixture
def sent(monkeypatch):
    """Return the calls that would send a job; no cluster is there, and each job succeeds."""
    calls = []

    def keep(experiment, target, settings, options, overrides, data_root, notify):
        calls.append((target, settings, list(options), tuple(overrides), data_root))
        return SentJob(job="q-1", experiment="quickstart", address="http://head:8265")

    monkeypatch.setattr(send, "send", keep)
    monkeypatch.setattr(cluster_jobs, "follow", lambda *arguments: make_job())
    return calls


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["--seeds", "8"],
        ["--set", "recipe.epochs=2", "--set", "name=longer"],
        ["--force", "--price", "2.5"],
        ["--tracking-uri", "http://h:5000", "--storage", "s3://ours/x"],
        ["--time-limit", "1h", "--data-root", "/nfs/data"],
    ],
)
def test_options_are_sent_as_they_were_typed(invoke, sent, typed):
    invoke(*SERVER, *typed)
    [(target, _, words, _, _)] = sent
    assert target.address == "http://head:8265"
    assert words == typed


def test_storage_of_this_machine_s_environment_is_not_sent(invoke, sent):
    invoke(*SERVER, env={"DEPTHBENCH_STORAGE": "/here/alone"})
    [(_, settings, words, _, _)] = sent
    assert settings.storage is None and words == []


def test_typed_storage_is_sent_and_kept_in_the_settings(invoke, sent):
    invoke(*SERVER, "--storage", "s3://ours/x", env={"DEPTHBENCH_STORAGE": "/here/alone"})
    [(_, settings, words, _, _)] = sent
    assert settings.storage == "s3://ours/x" and words == ["--storage", "s3://ours/x"]


@pytest.mark.parametrize(("options", "seconds"), [([], 0.0), (["--hosts", "3"], 1200.0), (["--wait", "5m"], 300.0)])
def test_hosts_are_waited_for_twenty_minutes_by_default(invoke, sent, options, seconds):
    invoke(*SERVER, *options)
    [(_, settings, _, _, _)] = sent
    assert settings.wait == seconds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--launcher", "inline"], "--address: the inline launcher runs on this machine alone"),
        (["--cluster", "c.yaml"], "--address: the cluster's file already gives the address"),
        (["--download"], "--download: the nodes of a cluster do not download"),
        (["--seeds", "ten"], "--seeds"),
        (["--wait", "never"], "--wait: 'never' is not a duration"),
    ],
)
def test_options_that_exclude_each_other_are_refused_before_anything_is_sent(invoke, sent, options, message):
    with pytest.raises(HarnessError, match=message):
        invoke(*SERVER, *options)
    assert not sent


@pytest.mark.parametrize(
    ("job", "code"),
    [(make_job(), 0), (make_job("FAILED", 3), 3), (make_job("FAILED", 77), 1), (make_job("STOPPED", None), 1)],
)
def test_exit_code_is_that_of_the_job(invoke, sent, monkeypatch, job, code):
    monkeypatch.setattr(cluster_jobs, "follow", lambda *arguments: job)
    assert invoke(*SERVER).exit_code == code


def test_job_that_never_started_is_an_error_with_its_message(invoke, sent, monkeypatch):
    job = make_job("FAILED", None, "No space left on device")
    monkeypatch.setattr(cluster_jobs, "follow", lambda *arguments: job)
    with pytest.raises(HarnessError, match=r"No space left on device\. Free space on the disk of the head"):
        invoke(*SERVER)


def test_attach_stops_the_newest_job(invoke, tmp_path, monkeypatch):
    save_sent_job(tmp_path / "home", SentJob(job="q-1", experiment="quickstart", address="http://head:8265", at=1))
    monkeypatch.setattr(cluster_jobs, "stop", lambda sent: make_job("STOPPED", None))
    assert "q-1: stopped. `harness run`" in invoke("attach", "--stop", "--home", tmp_path / "home").output


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--cluster", "here.yaml"], 2)])
def test_status_fails_for_an_unreachable_cluster_that_was_named(invoke, monkeypatch, options, code):
    found = {"here.yaml": HarnessError("no answer"), "there.yaml": [make_job("FAILED", 3, "a trial failed\nmore")]}
    monkeypatch.setattr(cluster_jobs, "status", lambda settings, target: found)
    done = invoke("status", *options)
    assert done.exit_code == code
    assert "failed, exit code 3" in done.output and "a trial failed" in done.output and "0:00:01" in done.output
    assert "unreachable" in done.stderr
