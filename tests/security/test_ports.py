"""Servers that Depthbench starts listen on the loopback interface only."""

import io
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from security.hostile import REPOSITORY


def test_ui_starts_the_server_on_loopback_without_a_password_in_its_arguments(tmp_path, monkeypatch):
    from rich.console import Console

    from harness.tracking.mlflow_record import ui

    started = {}

    class Server:
        def __init__(self, command, env):
            started.update(command=command, env=env)

        def wait(self):
            return 0

    monkeypatch.setattr(ui, "open_store", lambda uri: None)
    monkeypatch.setattr(ui, "list_experiment_names", lambda client: [])
    monkeypatch.setattr(ui.subprocess, "Popen", Server)
    (tmp_path / "mlflow.db").write_text("")
    assert ui.serve_ui(None, tmp_path, None, 5099, Console(file=io.StringIO())) == 0
    command = started["command"]
    assert isinstance(command, list)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    ui.serve_ui("postgresql://me:secret@host/db", tmp_path, None, 5099, Console(file=io.StringIO()))
    assert "secret" not in " ".join(started["command"]), "all users of a machine can read arguments"
    assert started["env"]["MLFLOW_BACKEND_STORE_URI"].endswith("@host/db")


def test_ray_starts_without_its_dashboard(monkeypatch):
    import ray

    from harness.launchers.ray.launcher import RayLauncher
    from harness.specs import Resources

    calls = []
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **given: calls.append(given))
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}])
    RayLauncher(Resources(), None)
    assert calls[0]["include_dashboard"] is False
    assert calls[0].get("dashboard_host", "127.0.0.1") in ("127.0.0.1", "localhost")


def listening_addresses(port):
    """Return the local addresses that listen on a port, in hexadecimal as in /proc/net/tcp."""
    addresses = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.rpartition(":")[2], 16) == port:
                addresses.add(address.rpartition(":")[0])
    return addresses


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's table of sockets")
def test_ui_listens_on_loopback_only(hostile_run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    work = hostile_run[0] / "deep/down/inside"
    server = subprocess.Popen(
        [sys.executable, "-m", "harness", "ui", "--port", str(port)],
        cwd=work, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(240):
            if listening_addresses(port):
                break
            assert server.poll() is None
            signal.sigtimedwait([], 0.5)
        assert listening_addresses(port) == {"0100007F"}
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
