"""The commands without any cluster: one screen that says what is wrong and what mends it."""

import socket
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import yaml

from harness.api import Settings
from harness.clusters.remote.sent_jobs import SentJob, find_newest_sent_job, list_sent_jobs, save_sent_job
from harness.errors import HarnessError
from harness.launchers.ray.address import require_ray_at

CASES = {
    "no such file": (["run", "quickstart", "--cluster", "nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
    "both": (["run", "quickstart", "--cluster", "c.yaml", "--address", "auto"], ["--address", "Leave one of them out"]),
    "inline": (["run", "quickstart", "--cluster", "c.yaml", "--launcher", "inline"], ["--cluster", "--launcher ray"]),
    "download": (
        ["run", "quickstart", "--cluster", "c.yaml", "--download"],
        ["--download", "data pack", "--data-root"],
    ),
    "download on a node": (["run", "quickstart", "--address", "auto", "--download"], ["--download", "data pack"]),
    "misspelt": (["run", "quikstart", "--cluster", "c.yaml"], ["Did you mean 'quickstart'?"]),
    "bad seeds": (["run", "quickstart", "--cluster", "c.yaml", "--seeds", "x"], ["'x' is no seed"]),
    "no head": (["run", "quickstart", "--cluster", "c.yaml"], ["no head of this cluster runs", "ray up c.yaml"]),
    "too much": (
        ["run", "quickstart", "--cluster", "c.yaml", "--set", "resources.cpus=5"],
        ["5 CPUs", "worker: 4 CPU", "resources.cpus=1"],
    ),
    "no Ray there": (["run", "quickstart", "--address", "127.0.0.1:9"], ["nothing answers", "127.0.0.1:9", "6379"]),
    "to wait for no cluster": (["bench", "resnet18", "--wait", "5m"], ["--wait", "hosts of a cluster", "--address"]),
    "no job server there": (["run", "quickstart", "--address", "http://127.0.0.1:9"], ["no job server", "8265"]),
    "password": (
        ["run", "quickstart", "--cluster", "c.yaml", "--tracking-uri", "postgresql://me:secret@db/x"],
        ["--tracking-uri", "a password stands in the address"],
    ),
    "password of the storage": (
        ["run", "quickstart", "--cluster", "c.yaml", "--storage", "s3://me:secret@bucket/x"],
        ["--storage", "a password stands in the address"],
    ),
    "nothing sent": (["attach"], ["no job was sent from here", "--cluster FILE"]),
    "nothing to pull": (["pull", "quickstart"], ["no job of quickstart was sent"]),
    "wait for ever": (["run", "quickstart", "--cluster", "c.yaml", "--wait", "soon"], ["--wait", "'soon'"]),
}


@pytest.mark.parametrize("case", CASES)
def test_one_screen_and_exit_2_in_seconds(harness, tmp_path, case):
    words, said = CASES[case]
    content = {
        "cluster_name": f"none-{tmp_path.name}",
        "provider": {"type": "local", "head_ip": "10.9.0.1", "worker_ips": ["10.9.0.2"]},
        "auth": {"ssh_user": "me"},
        "head_start_ray_commands": ["ray start --head --num-cpus=1"],
        "worker_start_ray_commands": ["ray start --num-cpus=4"],
    }
    (tmp_path / "work").mkdir()
    (tmp_path / "work/c.yaml").write_text(yaml.safe_dump(content))
    began = time.monotonic()
    done = harness(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 8
    for word in said:
        assert word in done.stderr
    assert "secret" not in done.stderr
    assert time.monotonic() - began < 30
    assert not (tmp_path / "work/.depthbench/jobs").exists()


def test_a_job_whose_record_would_go_with_it_is_refused(harness, experiment_file):
    sent = {"DEPTHBENCH_SENT": "quick-1"}
    old = {"DEPTHBENCH_SENDER": "0.0.9 (01234567)"}
    done = harness("run", experiment_file(), "--launcher", "inline", env={**sent, **old})
    assert done.returncode == 2 and "is 0.0.9 (01234567) where this was sent from" in " ".join(done.stderr.split())
    done = harness("run", experiment_file(), "--launcher", "inline", env=sent)
    assert done.returncode == 2 and "MLFLOW_TRACKING_URI" in done.stderr and "goes with it" in done.stderr
    done = harness("run", experiment_file(), "--launcher", "inline", env={**sent, "MLFLOW_TRACKING_URI": "http://h:5"})
    assert done.returncode == 2 and "DEPTHBENCH_STORAGE" in done.stderr


def test_status_without_any_cluster(harness):
    done = harness("status")
    assert done.returncode == 0 and "No job was sent from here" in done.stdout
    assert harness("status", "--json").stdout.strip() == "{}"


def test_what_was_sent_is_found_again(tmp_path):
    first = SentJob(job="a-1", experiment="a", cluster="/c.yaml", at=1)
    other = SentJob(job="b-1", experiment="b", cluster="/c.yaml", at=2)
    last = SentJob(job="a-2", experiment="a", address="http://head:8265", at=3)
    for sent in (last, first, other):
        save_sent_job(tmp_path, sent)
    (tmp_path / "jobs/half.json").write_text('{"job": ')
    assert list_sent_jobs(tmp_path) == [last, other, first]
    assert find_newest_sent_job(tmp_path, None) == last
    assert find_newest_sent_job(tmp_path, "b") == other
    assert find_newest_sent_job(tmp_path, "a-1") == first
    with pytest.raises(HarnessError, match="no job of c was sent"):
        find_newest_sent_job(tmp_path, "c")


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_an_open_port_that_is_not_ray_s(greeting):
    """Ray's own client would try for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.sendall(greeting)
            if greeting:
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(HarnessError, match="something other than Ray answers") as refused:
            require_ray_at(address, timeout=1)
    assert address in refused.value.where and "6379" in refused.value.remedy


@pytest.mark.parametrize("checkout", [False, True])
def test_a_job_says_which_depthbench_sent_it_unless_it_brings_its_own(tmp_path, monkeypatch, checkout):
    from harness.api.cluster.job_target import JobTarget
    from harness.api.cluster.send import send
    from harness.version import source_version

    sent = []

    @contextmanager
    def connect(self, ships_source=None):
        yield SimpleNamespace(submit_job=lambda *given: sent.append(given)), ""

    monkeypatch.setattr(JobTarget, "connect", connect)
    monkeypatch.chdir(tmp_path)
    if checkout:
        (tmp_path / "harness").mkdir()
        (tmp_path / "harness/__init__.py").touch()
    settings = Settings(tmp_path / ".depthbench", reports=tmp_path / "reports")
    job = send("quickstart", JobTarget(address="http://head:8265"), settings, [])
    own = {} if checkout else {"DEPTHBENCH_SENDER": source_version()}
    assert sent[0][3] == {"DEPTHBENCH_SENT": job.job, **own}
