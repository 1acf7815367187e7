"""What is decided on the laptop alone: what a cluster's file can hold, what travels, whether both sides fit."""

import pytest
import yaml

from harness.clusters.capacity import read_capacity
from harness.clusters.remote.compatibility import require_compatible
from harness.clusters.remote.packaging import MAX_PACKAGE_BYTES, build_package
from harness.clusters.remote.probe import describe_machine
from harness.errors import HarnessError
from harness.specs import Resources

LOCAL = {
    "cluster_name": "mine",
    "provider": {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2", "10.0.0.3"]},
    "auth": {"ssh_user": "me"},
    "head_start_ray_commands": ["ray stop", "ulimit -n 65536; ray start --head --num-cpus=2"],
    "worker_start_ray_commands": ["ray stop", "ray start --address=$RAY_HEAD_IP:6379 --num-cpus 8 --num-gpus=2"],
}
CLOUD = {
    "cluster_name": "theirs",
    "max_workers": 5,
    "provider": {"type": "aws", "region": "us-east-1"},
    "auth": {"ssh_user": "ubuntu"},
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "node_config": {}},
        "gpu": {"resources": {"CPU": 8, "GPU": 1}, "min_workers": 1, "max_workers": 4, "node_config": {}},
    },
}


@pytest.fixture
def promised(tmp_path):
    def of(content):
        file = tmp_path / "cluster.yaml"
        file.write_text(yaml.safe_dump(content))
        return read_capacity(file)

    return of


def test_machines_of_ones_own_hold_what_ray_is_told_on_them(promised):
    found = promised(LOCAL)
    assert found.least == 3
    assert found.at_once(Resources(cpus=1)) == 2 + 8 + 8
    assert found.at_once(Resources(cpus=3)) == 2 + 2
    assert found.at_once(Resources(cpus=3, workers=3)) == (0 + 2 + 2) // 3
    # Half a GPU each: four on the two GPUs of a worker, if there are cores for them.
    assert found.at_once(Resources(cpus=2, gpus=0.5)) == 4 + 4
    assert found.at_once(Resources(cpus=1, max_concurrent=5)) == 5


def test_types_of_a_cloud_count_up_to_their_most(promised):
    found = promised(CLOUD)
    assert found.least == 2
    assert found.at_once(Resources(cpus=4)) == 4 * 2
    assert found.at_once(Resources(cpus=4, gpus=1)) == 4
    with pytest.raises(HarnessError, match=r"9 CPUs and 0 GPUs, which no type of node.*head: 0 CPU; gpu: 8 CPU, 1 GPU"):
        found.require(Resources(cpus=9))


def test_no_more_nodes_than_the_whole_file_allows(promised):
    more = {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 4, "node_config": {}}
    found = promised({**CLOUD, "available_node_types": {**CLOUD["available_node_types"], "spot": more}})
    assert found.at_once(Resources(cpus=4)) == 4 * 2 + 1
    assert found.grows and not promised(LOCAL).grows
    assert not promised({**CLOUD, "max_workers": 1}).grows


def test_gpus_that_no_type_names_may_be_there(promised):
    command = "ray start --address=$RAY_HEAD_IP:6379 --num-cpus 8"
    found = promised({**LOCAL, "worker_start_ray_commands": [command]})
    assert found.at_once(Resources(cpus=4, gpus=1)) is None
    assert found.worth_waiting(Resources(cpus=4, gpus=0.25)) == 4 * found.most
    assert found.worth_waiting(Resources(cpus=4, gpus=1)) == found.most
    found.require(Resources(cpus=4, gpus=1))
    with pytest.raises(HarnessError, match="9 CPUs"):
        found.require(Resources(cpus=9, gpus=1))


@pytest.mark.parametrize("resources", [{"CPU": "eight"}, [1], {"CPU": None}])
def test_resources_that_are_no_numbers_are_an_error_of_the_file(promised, resources):
    kinds = {**CLOUD["available_node_types"], "odd": {"resources": resources, "node_config": {}, "max_workers": 1}}
    with pytest.raises(HarnessError, match="Ray cannot use this file"):
        promised({**CLOUD, "available_node_types": kinds})


def test_what_a_file_does_not_say_is_not_refused(promised):
    found = promised({**LOCAL, "worker_start_ray_commands": ["ray start --address=$RAY_HEAD_IP:6379"]})
    assert found.at_once(Resources(cpus=1)) is None
    found.require(Resources(cpus=500))


def test_a_file_that_is_none_of_rays(promised):
    with pytest.raises(HarnessError, match="provider is missing"):
        promised({"cluster_name": "x"})
    with pytest.raises(HarnessError, match="Ray cannot use this file"):
        promised({**LOCAL, "provider": {"type": "local"}})


@pytest.fixture
def directory(tmp_path):
    for name in (
        "experiments/own.yaml",
        "variants/own.yaml",
        "factory.py",
        "harness/data/description.py",
        "data/image.png",
        "reports/own/README.md",
        "state/mlflow.db",
        ".git/config",
        ".ssh/id_rsa",
        ".env",
        ".venv/bin/python",
        "images/a.png",
        "harness/__pycache__/x.pyc",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def test_the_working_directory_travels_without_data_reports_and_store(directory):
    left_out = [directory / "state", directory / "reports", directory / "images", None]
    parcel = build_package(directory, left_out, directory / "experiments/own.yaml")
    assert set(parcel.files) == {
        "experiments/own.yaml",
        "variants/own.yaml",
        "factory.py",
        "harness/data/description.py",
    }
    # Places elsewhere, and the directory itself, leave nothing out.
    assert "images/a.png" in build_package(directory, [directory.parent, directory], None).files


def test_an_experiment_that_would_stay_behind_is_refused(directory):
    (directory / ".gitignore").write_text("experiments/\n")
    with pytest.raises(HarnessError, match="would not be shipped"):
        build_package(directory, [], directory / "experiments/own.yaml")
    assert "factory.py" in build_package(directory, [], None).files


def test_a_large_directory_is_refused_with_what_is_large(directory):
    with (directory / "images/large.bin").open("wb") as file:
        file.truncate(MAX_PACKAGE_BYTES + 1)
    with pytest.raises(HarnessError, match=r"100 MiB to ship, and Ray takes 100 \(images 100 MiB"):
        build_package(directory, [], None)
    assert build_package(directory, [directory / "images"], None)


def test_both_sides_have_the_same_versions(tmp_path):
    ours, file = describe_machine(), tmp_path / "cluster.yaml"
    require_compatible(ours, file, shipped=False)
    # The third number of Python's version changes nothing.
    require_compatible({**ours, "python": ours["python"].rpartition(".")[0] + ".99"}, file, shipped=False)
    for key, other in (("ray", "2.0.0"), ("python", "3.9.1"), ("depthbench", "0.1.0 (00000000)"), ("ray", "")):
        with pytest.raises(HarnessError, match=f"here and {(other and other[:3]) or 'not installed'}"):
            require_compatible({**ours, key: other}, file, shipped=False)
    require_compatible({**ours, "depthbench": ""}, file, shipped=True)


def test_a_head_with_a_full_disk_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="disk of the head is full: 1 MiB are free at /tmp"):
        require_compatible({**describe_machine(), "free": {"/": 2**40, "/tmp": 2**20}}, tmp_path, shipped=False)
