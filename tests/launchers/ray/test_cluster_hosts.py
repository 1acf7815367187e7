"""Wait for the hosts of a cluster, and request one from an autoscaler for as long as the wait lasts."""

import pytest

from harness.errors import HarnessError
from harness.launchers.ray import cluster_hosts
from harness.launchers.ray.cluster_hosts import ClusterRequest, wait_for_hosts
from harness.specs import Resources


def node(cpus):
    return {"Alive": True, "NodeManagerHostname": "host", "Resources": {"CPU": cpus}}


def ignore(text):
    pass


@pytest.fixture
def cluster(monkeypatch):
    """Simulate a cluster: set the nodes at each look at it, and return the requests to its autoscaler."""
    requests = []

    def simulate(*looks):
        remaining = list(looks)
        monkeypatch.setattr(
            cluster_hosts, "list_alive_nodes", lambda: remaining.pop(0) if len(remaining) > 1 else remaining[0]
        )
        monkeypatch.setattr(cluster_hosts, "request_from_autoscaler", requests.append)
        monkeypatch.setattr(cluster_hosts, "POLL_SECONDS", 0.01)
        return requests

    return simulate


def test_wait_for_hosts_without_room_in_time_withdraws_its_request(cluster):
    requests = cluster([node(0)])
    with pytest.raises(HarnessError, match="missing after 0 s: room for 1 CPU"):
        wait_for_hosts(Resources(), ClusterRequest(hosts=1, wait_seconds=0.05, concurrent_trials=4), ignore)
    assert requests == [Resources(), None]


def test_wait_for_hosts_interrupted_withdraws_its_request(cluster):
    requests = cluster([node(0)])

    def interrupt(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_for_hosts(Resources(), ClusterRequest(hosts=1, wait_seconds=5, concurrent_trials=4), interrupt)
    assert requests[-1] is None


@pytest.mark.parametrize(("concurrent_trials", "concurrency"), [(0, 6), (2, 2), (32, 32)])
def test_wait_for_hosts_returns_the_requested_trials_or_those_that_fit(cluster, concurrent_trials, concurrency):
    requests = cluster([node(2)], [node(2), node(4)])
    request = ClusterRequest(hosts=2, wait_seconds=5, concurrent_trials=concurrent_trials)
    assert wait_for_hosts(Resources(), request, ignore) == concurrency
    assert not requests


def test_wait_for_hosts_with_all_hosts_too_small_fails_at_once(cluster):
    requests = cluster([node(2)])
    with pytest.raises(HarnessError, match="a trial needs 4 CPUs"):
        wait_for_hosts(Resources(cpus=4), ClusterRequest(hosts=1, wait_seconds=1200), ignore)
    assert not requests


def test_wait_for_hosts_notifies_about_what_is_missing(cluster):
    cluster([node(2)], [node(2), node(4)])
    lines = []
    wait_for_hosts(Resources(), ClusterRequest(hosts=2, wait_seconds=5), lines.append)
    assert lines == ["1 of 2 hosts up: host (2 CPUs); waiting up to 5 s for 1 host more ..."]


CPUS, T4, A100 = {"CPU": 8.0}, {"CPU": 2.0, "GPU": 1.0, "accelerator_type:T4": 1.0}, {"CPU": 4.0, "GPU": 2.0}
A100 = {**A100, "accelerator_type:A100": 1.0}


@pytest.mark.parametrize(
    ("resources", "nodes", "where", "remedy"),
    [
        ({"gpus": 1, "accelerator": "H200"}, [T4, A100], "resources.accelerator", "resources.accelerator=A100."),
        ({"gpus": 1, "accelerator": "H200"}, [CPUS], "resources.accelerator", "resources.accelerator=null."),
        ({"gpus": 1, "accelerator": "t4"}, [T4], "resources.accelerator", "resources.accelerator=T4."),
        ({"cpus": 16, "gpus": 1, "accelerator": "H200"}, [T4], "resources.accelerator", "resources.accelerator=T4."),
        ({"cpus": 4, "gpus": 1, "accelerator": "T4"}, [T4, A100], "resources.cpus", "resources.cpus=2."),
        ({"gpus": 1}, [CPUS], "resources.gpus", "resources.gpus=0."),
        ({"cpus": 8, "gpus": 1}, [CPUS, T4, A100], "resources.cpus", "resources.cpus=4."),
        ({"cpus": 9}, [CPUS, T4], "resources.cpus", "resources.cpus=8."),
        ({"workers": 20}, [CPUS, T4], "resources.workers", "resources.workers=10."),
        ({"gpus": 1, "workers": 4}, [T4, A100], "resources.workers", "resources.workers=3."),
    ],
)
def test_wait_for_hosts_names_the_resource_that_no_host_has(cluster, resources, nodes, where, remedy):
    cluster([{**node(0), "Resources": each} for each in nodes])
    with pytest.raises(HarnessError, match="a trial needs") as caught:
        wait_for_hosts(Resources(**resources), ClusterRequest(), ignore)
    assert caught.value.where == where
    assert f"--set {remedy}" in caught.value.remedy
