"""Hosts are waited for, and what was asked of an autoscaler is taken back."""

import pytest

from harness.errors import HarnessError
from harness.launchers.ray import cluster_hosts
from harness.launchers.ray.cluster_hosts import ClusterRequest, wait_for_hosts
from harness.specs import Resources


def node(cpus):
    return {"Alive": True, "NodeManagerHostname": "host", "Resources": {"CPU": cpus}}


@pytest.fixture
def cluster(monkeypatch):
    """Of which the nodes are said, one list a look; what it was asked for."""
    asked = []

    def of(*looks):
        left = list(looks)
        monkeypatch.setattr(cluster_hosts, "_alive", lambda: left.pop(0) if len(left) > 1 else left[0])
        monkeypatch.setattr(cluster_hosts, "_ask", lambda wanted: asked.append(wanted) or True)
        monkeypatch.setattr(cluster_hosts, "LOOK_SECONDS", 0.01)
        return asked

    return of


def test_a_host_that_did_not_come_is_not_asked_for_any_more(cluster):
    asked = cluster([node(0)])
    with pytest.raises(HarnessError, match="missing after 0 s: room for 1 CPU"):
        wait_for_hosts(Resources(), ClusterRequest(hosts=1, seconds=0.05, at_once=4), lambda text: None)
    assert asked == [Resources(), None]


def test_an_interrupt_takes_it_back_too(cluster):
    asked = cluster([node(0)])

    def interrupted(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_for_hosts(Resources(), ClusterRequest(hosts=1, seconds=5, at_once=4), interrupted)
    assert asked[-1] is None


@pytest.mark.parametrize(("at_once", "most"), [(0, 6), (2, 2), (32, 32)])
def test_how_many_at_once(cluster, at_once, most):
    assert not cluster([node(2)], [node(2), node(4)])
    assert wait_for_hosts(Resources(), ClusterRequest(hosts=2, seconds=5, at_once=at_once), lambda text: None) == most


def test_what_can_never_fit_is_refused_at_once(cluster):
    asked = cluster([node(2)])
    with pytest.raises(HarnessError, match="a trial asks for 4 CPUs"):
        wait_for_hosts(Resources(cpus=4), ClusterRequest(hosts=1, seconds=1200), lambda text: None)
    assert not asked
