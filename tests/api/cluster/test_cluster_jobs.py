"""A job is followed through lost connections, and a Ray that has stopped is told, also to those who leave."""

from contextlib import contextmanager

import pytest

from harness.api.cluster import cluster_jobs
from harness.api.cluster.job_target import JobTarget
from harness.clusters.remote.job_server import Job
from harness.clusters.remote.sent_jobs import SentJob, save_sent_job
from harness.clusters.remote.ssh import ClusterUnreachable, RayStopped
from harness.errors import HarnessError, Interrupted
from harness.settings import Settings

SENT = SentJob(job="quick-1", experiment="quick", cluster="/c/my cluster.yaml")
STOPPED = RayStopped(["gcs_server"], "/c/my cluster.yaml", "ray up '/c/my cluster.yaml'")
AWAY = ClusterUnreachable("the head cannot be reached: timed out", where="c.yaml", remedy="Try again.")


def make_job(state):
    return Job("quick-1", "quick", state, "", 1, 0, None)


class Cluster:
    """A cluster whose connections, states of the job and checks by ssh follow scripts; errors in them are raised."""

    def __init__(self, monkeypatch, connections, states=(), checks=(), healthy=True):
        self.connections, self.states, self.checks = iter(connections), iter(states), iter(checks)
        self.healthy, self.connected, self.output = healthy, 0, []
        monkeypatch.setattr(cluster_jobs, "RETRY_SECONDS", 0.0)
        monkeypatch.setattr(cluster_jobs, "POLL_SECONDS", 0.0)
        monkeypatch.setattr(cluster_jobs, "CHECK_SECONDS", -1.0)
        monkeypatch.setattr(JobTarget, "connect", lambda target: self._connect())
        monkeypatch.setattr(JobTarget, "require_ray", lambda target: _take(self.checks))

    @contextmanager
    def _connect(self):
        self.connected += 1
        _take(self.connections)
        yield self

    def get_job(self, job_id):
        return make_job(_take(self.states))

    def follow_output(self, job_id, show, skip):
        return 0

    def require_healthy(self, seconds):
        if not self.healthy:
            raise AWAY

    def stop_job(self, job_id):
        raise AssertionError("a job of a stopped Ray cannot be stopped")

    def list_jobs(self):
        return []


def _take(script):
    value = next(script)
    if isinstance(value, BaseException):
        raise value
    return value


def follow(notes=None):
    return cluster_jobs.follow(SENT, lambda text: None, (notes if notes is not None else []).append)


def test_stopped_ray_is_raised_after_a_second_look(monkeypatch):
    cluster = Cluster(monkeypatch, [STOPPED, STOPPED])
    with pytest.raises(RayStopped) as caught:
        follow()
    assert cluster.connected == 2
    assert caught.value.what == "Ray has stopped on the head: its gcs_server does not run"
    assert "`ray up '/c/my cluster.yaml'`, then the same `harness run`" in caught.value.remedy


def test_ray_that_answers_the_second_look_is_followed_on(monkeypatch):
    cluster = Cluster(monkeypatch, [STOPPED, None], ["RUNNING", "SUCCEEDED"])
    assert follow().state == "SUCCEEDED" and cluster.connected == 2


def test_two_looks_with_a_lost_network_between_them_do_not_count_together(monkeypatch):
    cluster = Cluster(monkeypatch, [STOPPED, AWAY, STOPPED, None], ["RUNNING", "SUCCEEDED"])
    notes = []
    assert follow(notes).state == "SUCCEEDED" and cluster.connected == 4
    assert len(notes) == 1 and "the head cannot be reached" in notes[0]


def test_silent_job_of_a_stopped_ray_is_found_by_the_check_on_the_head(monkeypatch):
    """The job server still lists the job as running, because nobody is there to note its end."""
    Cluster(monkeypatch, [None, STOPPED], ["RUNNING", "RUNNING"], [STOPPED])
    with pytest.raises(RayStopped):
        follow()


def test_unreachable_head_is_tried_again_until_the_patience_ends(monkeypatch):
    cluster = Cluster(monkeypatch, [AWAY] * 9)
    clock = iter(range(0, 9000, 600))
    monkeypatch.setattr(cluster_jobs.time, "monotonic", lambda: float(next(clock)) + 1)
    notes = []
    with pytest.raises(ClusterUnreachable):
        follow(notes)
    assert cluster.connected == 5 and len(notes) == 1
    assert "the job continues" in notes[0] and "If the head is up" in notes[0]


@pytest.mark.parametrize(
    ("checks", "healthy", "told", "not_told"),
    [
        ([None], True, ["quick-1 runs on", "attach quick --stop"], "has ended"),
        ([STOPPED], True, ["Ray has stopped on the head", "quick-1 has ended", "ray up"], "runs on."),
        ([STOPPED], False, ["Ray has stopped on the head", "quick-1 has ended", "ray up"], "runs on."),
        ([AWAY], False, ["not known whether quick-1 runs on", "attach quick"], "has ended"),
    ],
    ids=["ray-runs", "raylet-gone", "job-server-gone", "network-gone"],
)
def test_ctrl_c_says_whether_the_job_runs_on(monkeypatch, checks, healthy, told, not_told):
    Cluster(monkeypatch, [None], ["RUNNING", Interrupted(2)], checks, healthy)
    with pytest.raises(Interrupted) as caught:
        follow()
    assert caught.value.exit_code == 130
    assert all(words in caught.value.message for words in told) and not_told not in caught.value.message


def test_ctrl_c_while_the_head_is_away_does_not_claim_that_the_job_runs(monkeypatch):
    Cluster(monkeypatch, [AWAY])

    def leave(seconds):
        raise Interrupted(2)

    monkeypatch.setattr(cluster_jobs.time, "sleep", leave)
    with pytest.raises(Interrupted) as caught:
        follow()
    assert "not known whether quick-1 runs on" in caught.value.message


def test_stop_and_status_tell_a_stopped_ray(monkeypatch, tmp_path):
    Cluster(monkeypatch, [STOPPED, STOPPED])
    with pytest.raises(RayStopped):
        cluster_jobs.stop(SENT)
    save_sent_job(tmp_path, SENT)
    (answer,) = cluster_jobs.status(Settings(tmp_path), None).values()
    assert isinstance(answer, RayStopped) and isinstance(answer, HarnessError)
