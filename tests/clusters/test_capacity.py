"""The capacity of a cluster is read from its file."""

from pathlib import Path

import pytest
import yaml

from harness.clusters.capacity import read_capacity
from harness.errors import HarnessError
from harness.specs import Resources, find_experiment, load_experiment

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
def read(tmp_path):
    """Return a function that writes a cluster's file and reads its capacity."""

    def write_and_read(content):
        file = tmp_path / "cluster.yaml"
        file.write_text(yaml.safe_dump(content))
        return read_capacity(file)

    return write_and_read


def test_capacity_of_own_machines_is_read_from_their_start_commands(read):
    capacity = read(LOCAL)
    assert capacity.min_nodes == 3
    assert capacity.count_trials(Resources(cpus=1)) == 2 + 8 + 8
    assert capacity.count_trials(Resources(cpus=3)) == 2 + 2
    assert capacity.count_trials(Resources(cpus=3, workers=3)) == (0 + 2 + 2) // 3
    # Two GPUs of a worker have room for four trials with half a GPU each, and its cores for four trials too.
    assert capacity.count_trials(Resources(cpus=2, gpus=0.5)) == 4 + 4
    assert capacity.count_trials(Resources(cpus=1, max_concurrent=5)) == 5


def test_capacity_of_a_cloud_counts_all_nodes_of_its_types(read):
    capacity = read(CLOUD)
    assert capacity.min_nodes == 2
    assert capacity.count_trials(Resources(cpus=4)) == 4 * 2
    assert capacity.count_trials(Resources(cpus=4, gpus=1)) == 4
    with pytest.raises(HarnessError, match=r"9 CPUs and 0 GPUs, which no type of node.*head: 0 CPU; gpu: 8 CPU, 1 GPU"):
        capacity.require_room_for(Resources(cpus=9))


def test_capacity_counts_no_more_nodes_than_max_workers(read):
    more = {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 4, "node_config": {}}
    capacity = read({**CLOUD, "available_node_types": {**CLOUD["available_node_types"], "spot": more}})
    assert capacity.count_trials(Resources(cpus=4)) == 4 * 2 + 1
    assert capacity.can_grow and not read(LOCAL).can_grow
    assert not read({**CLOUD, "max_workers": 1}).can_grow


def test_undeclared_gpus_are_unknown(read):
    command = "ray start --address=$RAY_HEAD_IP:6379 --num-cpus 8"
    capacity = read({**LOCAL, "worker_start_ray_commands": [command]})
    assert capacity.count_trials(Resources(cpus=4, gpus=1)) is None
    assert capacity.count_awaited_trials(Resources(cpus=4, gpus=0.25)) == 4 * capacity.max_workers
    assert capacity.count_awaited_trials(Resources(cpus=4, gpus=1)) == capacity.max_workers
    capacity.require_room_for(Resources(cpus=4, gpus=1))
    with pytest.raises(HarnessError, match="9 CPUs"):
        capacity.require_room_for(Resources(cpus=9, gpus=1))


@pytest.mark.parametrize("resources", [{"CPU": "eight"}, [1], {"CPU": None}])
def test_resources_that_are_not_numbers_are_an_error_of_the_file(read, resources):
    kinds = {**CLOUD["available_node_types"], "odd": {"resources": resources, "node_config": {}, "max_workers": 1}}
    with pytest.raises(HarnessError, match="Ray cannot use this file"):
        read({**CLOUD, "available_node_types": kinds})


def test_undeclared_resources_are_not_refused(read):
    capacity = read({**LOCAL, "worker_start_ray_commands": ["ray start --address=$RAY_HEAD_IP:6379"]})
    assert capacity.count_trials(Resources(cpus=1)) is None
    capacity.require_room_for(Resources(cpus=500))


def test_file_without_required_fields_is_refused(read):
    with pytest.raises(HarnessError, match="provider is missing"):
        read({"cluster_name": "x"})
    with pytest.raises(HarnessError, match="Ray cannot use this file"):
        read({**LOCAL, "provider": {"type": "local"}})


SHIPPED = Path(__file__).resolve().parents[2] / "cluster.yaml"


@pytest.mark.parametrize(
    ("needed", "field", "remedy"),
    [
        ({"cpus": 9}, "resources.cpus", "--set resources.cpus=8"),
        ({"cpus": 9, "gpus": 1}, "resources.cpus", "--set resources.cpus=8"),
        ({"cpus": 1, "gpus": 1, "accelerator": "H100"}, "resources.accelerator", "--set resources.accelerator=L4"),
        ({"cpus": 9, "gpus": 1, "accelerator": "H100"}, "resources.accelerator", "--set resources.accelerator=L4"),
        ({"cpus": 9, "gpus": 0.5, "accelerator": "L4"}, "resources.cpus", "--set resources.cpus=8"),
        ({"cpus": 8, "gpus": 1, "workers": 5}, "resources.workers", "--set resources.workers=4"),
        ({"cpus": 5, "workers": 9}, "resources.workers", "--set resources.workers=4"),
    ],
)
def test_trial_without_room_on_the_shipped_cluster_is_told_the_option_that_helps(needed, field, remedy):
    capacity = read_capacity(SHIPPED)
    with pytest.raises(HarnessError) as caught:
        capacity.require_room_for(Resources(**needed))
    assert caught.value.where == field
    assert remedy in caught.value.remedy and "add a type of node" in caught.value.remedy
    # Whoever does what the remedy says has room.
    option, _, value = remedy.removeprefix("--set resources.").partition("=")
    followed = {**needed, option: value if option == "accelerator" else int(value)}
    if needed.get("accelerator") == "H100" and needed["cpus"] == 9:
        followed["cpus"] = 8
    capacity.require_room_for(Resources(**followed))


def test_four_trials_of_the_quickstart_at_once_fit_one_worker_of_the_shipped_cluster():
    """docs/cluster.md says so of `--at-once 4`, and that 32 run at once without it."""
    capacity = read_capacity(SHIPPED)
    quickstart = load_experiment(find_experiment("quickstart"))[0].resources
    assert capacity.count_awaited_trials(quickstart) == 32
    (worker,) = capacity.workers
    assert worker.count_workers(quickstart) >= 4 and worker.max_nodes == 4
