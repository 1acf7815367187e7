"""The probe finds which parts of Ray do not run, and the MLflow server that outlived Ray."""

import http.server
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from harness.clusters.remote import services_probe
from harness.clusters.remote.services_probe import find_record, list_missing_ray_parts


@pytest.fixture
def processes(monkeypatch):
    """Return a list of (name, words, variables) that stands for the processes of the machine; no job server runs."""
    monkeypatch.setattr(services_probe, "_list_processes", lambda: iter(listed))
    monkeypatch.setattr(services_probe, "JOB_SERVER", f"http://127.0.0.1:{free_port()}")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    listed = []
    return listed


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextmanager
def serve(status):
    """Serve one status for every page on the loopback; yield the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


GCS, RAYLET = ("gcs_server", ["gcs_server"], {}), ("raylet", ["raylet"], {})


@pytest.mark.parametrize(
    ("running", "missing"),
    [
        ([], ["gcs_server", "raylet"]),
        ([RAYLET], ["gcs_server"]),
        ([GCS], ["raylet"]),
        ([GCS, RAYLET], ["job server"]),
    ],
)
def test_missing_parts_of_ray_are_listed(processes, running, missing):
    processes[:] = running
    assert list_missing_ray_parts() == missing


@pytest.mark.parametrize(("status", "missing"), [(200, []), (503, ["gcs_server"]), (401, []), (404, [])])
def test_job_server_says_whether_the_control_service_answers(processes, monkeypatch, status, missing):
    processes[:] = [GCS, RAYLET]
    with serve(status) as port:
        monkeypatch.setattr(services_probe, "JOB_SERVER", f"http://127.0.0.1:{port}")
        assert list_missing_ray_parts() == missing


def test_job_server_that_hangs_is_missing(processes, monkeypatch):
    processes[:] = [GCS, RAYLET]
    monkeypatch.setattr(services_probe, "ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(services_probe, "JOB_SERVER", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert list_missing_ray_parts() == ["job server"]


ADMIN = {"MLFLOW_AUTH_ADMIN_USERNAME": "root", "MLFLOW_AUTH_ADMIN_PASSWORD": "pw"}


@pytest.mark.parametrize(
    ("words", "variables", "record"),
    [
        ("mlflow server --host 127.0.0.1 --port {p}", {}, ("http://127.0.0.1:{p}", "", "")),
        ("/v/bin/python /v/bin/mlflow server --host=0.0.0.0 --port={p}", {}, ("http://127.0.0.1:{p}", "", "")),
        ("python -m mlflow ui -p {p}", {}, ("http://127.0.0.1:{p}", "", "")),
        ("mlflow server -h localhost -p {p}", ADMIN, ("http://localhost:{p}", "root", "pw")),
        ("mlflow server", {"MLFLOW_HOST": "127.0.0.1", "MLFLOW_PORT": "{p}"}, ("http://127.0.0.1:{p}", "", "")),
        ("python train.py --port {p}", ADMIN, ("", "", "")),
        ("tail mlflow server.log", ADMIN, ("", "", "")),
        ("mlflow gc --backend-store-uri x", ADMIN, ("", "", "")),
    ],
)
def test_server_that_outlived_ray_is_found_with_its_credentials(processes, words, variables, record):
    with serve(200) as port:
        variables = {name: value.format(p=port) for name, value in variables.items()}
        processes.append(("mlflow", words.format(p=port).split(), variables))
        assert tuple(find_record().values()) == tuple(text.format(p=port) for text in record)


def test_server_of_rays_processes_comes_first_and_a_login_shell_last(processes, monkeypatch):
    ray = {"MLFLOW_TRACKING_USERNAME": "of-ray", "MLFLOW_TRACKING_PASSWORD": "pw"}
    with serve(200) as first, serve(200) as second, serve(200) as third:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{third}")
        assert find_record()["store"] == f"http://127.0.0.1:{third}"
        processes.append(("mlflow", ["mlflow", "server", "--port", str(second)], {}))
        assert find_record()["store"] == f"http://127.0.0.1:{second}"
        processes.append(("raylet", ["raylet"], {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{first}", **ray}))
        assert find_record() == {"store": f"http://127.0.0.1:{first}", "user": "of-ray", "password": "pw"}
    # None of them answers any more: the most certain one is named.
    assert find_record()["store"] == f"http://127.0.0.1:{first}"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are listed from /proc")
def test_killed_process_that_nobody_collected_does_not_run(tmp_path):
    program = str(shutil.copy(shutil.which("sleep"), tmp_path / "gcs_server"))

    def is_listed():
        return any(program in arguments for _, arguments, *_ in services_probe._list_processes())

    def wait_until(listed):
        deadline = time.monotonic() + 5
        while is_listed() != listed and time.monotonic() < deadline:
            time.sleep(0.02)

    process = subprocess.Popen([program, "60"])
    try:
        # A process that has just started may have no arguments yet.
        wait_until(True)
        assert is_listed()
        process.kill()
        wait_until(False)
        assert not is_listed(), "a zombie counts as running"
    finally:
        process.kill()
        process.wait()
