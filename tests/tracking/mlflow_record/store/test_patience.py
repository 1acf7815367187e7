"""How long a command waits for a store: one outage for all its calls, told once, bounded."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from harness.errors import HarnessError, StoreUnavailable
from harness.settings import Settings
from harness.tracking.mlflow_record.store import patience as patience_module
from harness.tracking.mlflow_record.store.patience import Patience, patient_client, read_wait_seconds
from harness.tracking.record import open_record


@pytest.fixture
def clock(monkeypatch):
    """A clock that only sleeping moves; ``slept`` lists the waits."""
    clock = SimpleNamespace(now=1000.0, slept=[])

    def sleep(seconds):
        clock.slept.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(patience_module, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    return clock


def failing(times, result="done"):
    """Return a function that raises StoreUnavailable ``times`` times, and then returns ``result``."""
    left = [times]

    def action():
        if left[0]:
            left[0] -= 1
            raise StoreUnavailable("it does not answer")
        return result

    return action


@pytest.mark.parametrize(
    ("failures", "seconds", "waits", "messages"),
    [
        (0, 90, 0, 0),
        (1, 90, 1, 0),
        (3, 90, 3, 2),
        (80, 90, 80, 2),
    ],
    ids=["answers", "one failure is silent", "a longer outage is told with its end", "a long one is told once"],
)
def test_retry_waits_until_the_store_answers(clock, failures, seconds, waits, messages):
    told = []
    assert Patience(seconds, told.append).retry(failing(failures), "http://h:5000") == "done"
    assert len(clock.slept) == waits and len(told) == messages
    if told:
        assert told[0] == "waiting for the store http://h:5000, up to 90 s (Ctrl-C ends this): it does not answer"
        assert told[1] == "the store http://h:5000 answers again"


@pytest.mark.parametrize("seconds", [0, 5, 90])
def test_retry_gives_up_after_its_seconds(clock, seconds):
    with pytest.raises(StoreUnavailable):
        Patience(seconds).retry(failing(10**6), "x")
    assert clock.now - 1000 == seconds


def test_nested_retries_share_one_outage(clock):
    patience = Patience(10)
    with pytest.raises(StoreUnavailable):
        patience.retry(lambda: patience.retry(failing(10**6), "x"), "x")
    assert clock.now - 1000 <= 11


def test_outer_retry_is_bounded_although_inner_calls_succeed(clock):
    patience = Patience(10)

    def action():
        patience.retry(failing(0), "x")
        raise StoreUnavailable("the disk is full")

    with pytest.raises(StoreUnavailable):
        patience.retry(action, "x")
    assert clock.now - 1000 == 10


def test_retry_raises_other_errors_at_once(clock):
    def refuse():
        raise HarnessError("401")

    with pytest.raises(HarnessError, match="401"):
        Patience(90).retry(refuse, "x")
    assert clock.slept == []


def test_new_seconds_start_a_new_outage(clock):
    patience = Patience(0)
    with pytest.raises(StoreUnavailable):
        patience.retry(failing(1), "x")
    clock.now += 1000
    patience.seconds = 90
    assert patience.retry(failing(5), "x") == "done"


def test_patient_client_repeats_calls_but_not_the_creation_of_a_run(clock):
    calls = []

    class Client:
        def call(self, name):
            calls.append(name)
            if len(calls) < 3:
                raise ConnectionResetError("reset")
            return name

        def set_tag(self):
            return self.call("set_tag")

        def create_run(self):
            return self.call("create_run")

    client = patient_client(Client(), "http://user:secret@h", Patience(90))
    with pytest.raises(StoreUnavailable) as caught:
        client.create_run()
    assert "secret" not in str(caught.value)
    assert client.set_tag() == "set_tag"
    assert calls == ["create_run", "set_tag", "set_tag"]


@pytest.mark.parametrize(("text", "seconds"), [("", 90.0), ("5", 5.0), ("0", 0.0), (" 2.5 ", 2.5)])
def test_read_wait_seconds_reads_the_environment(monkeypatch, text, seconds):
    monkeypatch.setenv("DEPTHBENCH_STORE_WAIT", text)
    assert read_wait_seconds() == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan", "1 s"])
def test_read_wait_seconds_refuses_what_is_no_time(monkeypatch, text):
    monkeypatch.setenv("DEPTHBENCH_STORE_WAIT", text)
    with pytest.raises(HarnessError, match="not a number of seconds"):
        read_wait_seconds()


@pytest.fixture
def serve():
    """Return a function that starts an HTTP server which answers the health probe with these statuses in turn."""
    servers = []

    def start(*statuses):
        left = list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(left.pop(0) if left else 404)
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *arguments):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return SimpleNamespace(uri=f"http://127.0.0.1:{server.server_address[1]}", left=left)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_open_record_waits_where_a_health_probe_fails_for_a_while(serve, tmp_path, monkeypatch, status):
    monkeypatch.setattr(patience_module, "RETRY_SECONDS", 0.01)
    server = serve(status, status, 200)
    with pytest.raises(HarnessError, match="404"):
        # After the probe, the client asks for experiments, which this server does not know.
        open_record(Settings(tmp_path, tracking_uri=server.uri), "x", patience=Patience(20))
    assert server.left == []


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_open_record_does_not_wait_for_a_server_that_refuses(serve, tmp_path, status):
    server = serve(*[status] * 3)

    def fail(text):
        raise AssertionError(text)

    with pytest.raises(HarnessError) as caught:
        open_record(Settings(tmp_path, tracking_uri=server.uri), "x", patience=Patience(60, fail))
    assert not isinstance(caught.value, StoreUnavailable)


@pytest.mark.parametrize("address", ["a port without a server", "http://no-such-host.invalid:5000"])
def test_open_record_of_a_wrong_address_ends_with_the_address(tmp_path, monkeypatch, address):
    monkeypatch.setattr(patience_module, "RETRY_SECONDS", 0.1)
    if address.startswith("a port"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{free.getsockname()[1]}"
    told = []
    with pytest.raises(HarnessError, match="cannot be reached") as caught:
        open_record(Settings(tmp_path, tracking_uri=address), "x", patience=Patience(0.3, told.append))
    assert address in str(caught.value)
    assert len(told) <= 1 and all(address in text for text in told)
