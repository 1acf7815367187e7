"""The output of a job is followed once, until it ends or falls silent; a stopped Ray ends every request."""

import asyncio
import http.server
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.clusters.remote import job_server
from harness.clusters.remote.job_server import JobClient
from harness.clusters.remote.packaging import JobPackage
from harness.clusters.remote.ssh import ClusterUnreachable, RayStopped


def make_client(*texts, silent=False):
    """Return a client whose job prints some texts, and then ends or is silent."""

    async def tail(identity):
        for text in texts:
            yield text
        if silent:
            await asyncio.sleep(3600)

    client = JobClient.__new__(JobClient)
    client.client, client.address = SimpleNamespace(tail_job_logs=tail), "http://head"
    return client


def test_follow_output_skips_what_was_shown_before():
    shown = []
    assert make_client("one ", "two ", "three").follow_output("x", shown.append, skip=6) == 13
    assert shown == ["o ", "three"]


def test_follow_output_of_a_silent_job_returns(monkeypatch):
    monkeypatch.setattr(job_server, "SILENT_SECONDS", 0.1)
    shown = []
    assert make_client("one", silent=True).follow_output("x", shown.append) == 3
    assert shown == ["one"]


@pytest.mark.parametrize("error", [BrokenPipeError(), UnicodeEncodeError("ascii", "\u2013", 0, 1, "no")])
def test_error_of_the_caller_is_not_a_lost_connection(error):
    def fail(text):
        raise error

    with pytest.raises(type(error)):
        make_client("one").follow_output("x", fail)


@contextmanager
def serve_health(status):
    """Serve one status for the health page, or accept connections and never answer (None); yield the address."""
    with socket.socket() as silent:
        if status is None:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            yield f"http://127.0.0.1:{silent.getsockname()[1]}"
            return

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/api/gcs_healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def impatient(monkeypatch):
    """Check the health soon."""
    monkeypatch.setattr(job_server, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(job_server.JobClient.require_healthy, "__defaults__", (0.2,))


BROKEN = [(503, RayStopped), (None, ClusterUnreachable)]


@pytest.mark.parametrize(("status", "error"), BROKEN)
@pytest.mark.parametrize("method", ["get_job_info", "list_jobs", "stop_job", "submit_job"])
def test_request_that_ray_never_answers_ends_when_ray_is_not_healthy(impatient, status, error, method):
    """Ray's client has no time limit, and the job server waits for the stopped part of Ray."""
    calls = {
        "get_job_info": lambda client: client.get_job("x"),
        "list_jobs": lambda client: client.list_jobs(),
        "stop_job": lambda client: client.stop_job("x"),
        "submit_job": lambda client: client.submit_job("x", "true", JobPackage(Path(), (), {}), {}, "x"),
    }
    never = threading.Event()
    client = make_client()
    setattr(client.client, method, lambda *_, **__: never.wait(30))
    with serve_health(status) as client.address, pytest.raises(error):
        calls[method](client)
    never.set()


def test_slow_request_to_a_healthy_cluster_is_waited_for(impatient):
    client = make_client()
    client.client.stop_job = lambda job_id: time.sleep(0.3) or True
    with serve_health(200) as client.address:
        assert client.stop_job("x") is True


@pytest.mark.parametrize(("status", "error"), BROKEN)
def test_silent_output_of_a_stopped_ray_ends(impatient, status, error):
    client = make_client("one", silent=True)
    shown = []
    with serve_health(status) as client.address, pytest.raises(error):
        client.follow_output("x", shown.append)
    assert shown == ["one"]


def test_output_that_was_silent_for_a_while_is_followed_on(impatient):
    async def tail(identity):
        yield "one "
        await asyncio.sleep(0.3)
        yield "two"

    client, shown = make_client(), []
    client.client.tail_job_logs = tail
    with serve_health(200) as client.address:
        assert client.follow_output("x", shown.append) == 7
    assert shown == ["one ", "two"]


@pytest.mark.parametrize(
    ("place", "is_tunnel", "start"),
    [
        ("my cluster.yaml", True, "`ray up 'my cluster.yaml'`"),
        ("--address http://h:8265", False, "Start Ray there again"),
    ],
)
def test_stopped_ray_names_what_starts_it_again(place, is_tunnel, start):
    client = make_client()
    client.place, client.is_tunnel = place, is_tunnel
    with serve_health(503) as client.address, pytest.raises(RayStopped) as caught:
        client.require_healthy()
    assert caught.value.where == place and start in caught.value.remedy
