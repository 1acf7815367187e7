"""Commands on clusters fail in seconds, with an error and a remedy, if no cluster can be reached."""

import pytest
import yaml

CASES = {
    "no such file": (["run", "quickstart", "--cluster", "nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
    "both": (
        ["run", "quickstart", "--cluster", "c.yaml", "--address", "auto"],
        ["--address", "Leave one of the two out"],
    ),
    "inline": (["run", "quickstart", "--cluster", "c.yaml", "--launcher", "inline"], ["--cluster", "--launcher ray"]),
    "download": (
        ["run", "quickstart", "--cluster", "c.yaml", "--download"],
        ["--download", "data pack", "--data-root"],
    ),
    "download on a node": (["run", "quickstart", "--address", "auto", "--download"], ["--download", "data pack"]),
    "misspelt": (["run", "quikstart", "--cluster", "c.yaml"], ["Did you mean 'quickstart'?"]),
    "bad seeds": (["run", "quickstart", "--cluster", "c.yaml", "--seeds", "x"], ["'x' is not a seed"]),
    "no head": (["run", "quickstart", "--cluster", "c.yaml"], ["no head of this cluster runs", "ray up c.yaml"]),
    "too much": (
        ["run", "quickstart", "--cluster", "c.yaml", "--set", "resources.cpus=5"],
        ["5 CPUs", "worker: 4 CPU", "--set resources.cpus=4"],
    ),
    "no Ray there": (["run", "quickstart", "--address", "127.0.0.1:9"], ["no program answers", "127.0.0.1:9", "6379"]),
    "to wait for no cluster": (["bench", "resnet18", "--wait", "5m"], ["--wait", "no cluster", "--address"]),
    "no job server there": (["run", "quickstart", "--address", "http://127.0.0.1:9"], ["no job server", "8265"]),
    "password": (
        ["run", "quickstart", "--cluster", "c.yaml", "--tracking-uri", "postgresql://me:secret@db/x"],
        ["--tracking-uri", "the address contains a password"],
    ),
    "password of the storage": (
        ["run", "quickstart", "--cluster", "c.yaml", "--storage", "s3://me:secret@bucket/x"],
        ["--storage", "the address contains a password"],
    ),
    "nothing sent": (["attach"], ["no job was sent from here", "--cluster FILE"]),
    "nothing to pull": (["pull", "quickstart"], ["no job of quickstart was sent", "pull quickstart --cluster FILE"]),
    "wait for ever": (["run", "quickstart", "--cluster", "c.yaml", "--wait", "soon"], ["--wait", "'soon'"]),
}


@pytest.mark.parametrize("case", CASES)
def test_command_without_a_reachable_cluster_exits_with_2_and_a_remedy(harness, tmp_path, case):
    words, messages = CASES[case]
    content = {
        "cluster_name": f"none-{tmp_path.name}",
        "provider": {"type": "local", "head_ip": "10.9.0.1", "worker_ips": ["10.9.0.2"]},
        "auth": {"ssh_user": "me"},
        "head_start_ray_commands": ["ray start --head --num-cpus=1"],
        "worker_start_ray_commands": ["ray start --num-cpus=4"],
    }
    (tmp_path / "work").mkdir()
    (tmp_path / "work/c.yaml").write_text(yaml.safe_dump(content))
    done = harness(*words, timeout=120)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 8
    for message in messages:
        assert message in done.stderr
    assert "secret" not in done.stderr
    assert not (tmp_path / "work/.depthbench/jobs").exists()


def test_job_whose_record_would_be_lost_is_refused(harness, experiment_file):
    sent = {"DEPTHBENCH_SENT": "quick-1"}
    old = {"DEPTHBENCH_SENDER": "0.0.9 (01234567)"}
    done = harness("run", experiment_file(), "--launcher", "inline", env={**sent, **old})
    assert done.returncode == 2 and "sent by Depthbench 0.0.9 (01234567)" in " ".join(done.stderr.split())
    done = harness("run", experiment_file(), "--launcher", "inline", env=sent)
    assert done.returncode == 2 and "MLFLOW_TRACKING_URI" in done.stderr and "deletes after the job" in done.stderr
    done = harness("run", experiment_file(), "--launcher", "inline", env={**sent, "MLFLOW_TRACKING_URI": "http://h:5"})
    assert done.returncode == 2 and "DEPTHBENCH_STORAGE" in done.stderr


def test_status_without_any_sent_job_is_empty(harness):
    done = harness("status")
    assert done.returncode == 0 and "No job was sent from here" in done.stdout
    assert harness("status", "--json").stdout.strip() == "{}"
