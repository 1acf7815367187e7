"""Servers that Depthbench starts listen on the loopback interface only."""

import http.client
import io
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
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
    monkeypatch.setattr(ui, "adopt_store", lambda uri: None)
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


def test_ray_starts_without_its_dashboard_and_with_a_token_of_its_own(monkeypatch):
    import ray

    from harness.launchers.ray.launcher import RayLauncher
    from harness.specs import Resources

    calls = []

    def init(**options):
        names = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
        calls.append((options, {name: os.environ.get(name) for name in names}))

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "the token of a cluster")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}])
    launcher = RayLauncher(Resources(), None)
    ((options, variables),) = calls
    try:
        assert options["include_dashboard"] is False
        assert options.get("dashboard_host", "127.0.0.1") in ("127.0.0.1", "localhost")
        assert (variables["RAY_AUTH_MODE"], variables["RAY_AUTH_TOKEN"]) == ("token", None)
        token = Path(variables["RAY_AUTH_TOKEN_PATH"])
        assert str(token.parent) == options["_temp_dir"]
        assert (stat.S_IMODE(token.stat().st_mode), stat.S_IMODE(token.parent.stat().st_mode)) == (0o600, 0o700)
        assert re.fullmatch("[0-9a-f]{64}", token.read_text())
    finally:
        launcher.close()
    assert not token.parent.exists()
    assert (os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"]) == ("disabled", "the token of a cluster")
    assert "RAY_AUTH_TOKEN_PATH" not in os.environ


@pytest.fixture(scope="module")
def local_ray():
    """Start Ray as a run without a cluster does; yield its head's address, the path of its token, and who listens."""
    import ray

    from harness.launchers.ray.local.session import LocalRay

    # The cluster of another test may listen already.
    earlier = listening()
    session = LocalRay(2)
    # A worker listens too.
    ray.get(ray.remote(lambda: None).remote())
    yield ray.get_runtime_context().gcs_address, Path(os.environ["RAY_AUTH_TOKEN_PATH"]), listening() - earlier
    session.close()


def listening(root=None):
    """Return (name, address, port) of each port on which a process or one below it listens; by default this process."""
    found, root = set(), psutil.Process(root)
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    address, port = connection.laddr
                    found.add((process.name(), address.removeprefix("::ffff:"), port))
    return found


@pytest.mark.slow
def test_local_ray_listens_on_loopback_only(local_ray):
    found = local_ray[2]
    assert {"gcs_server", "raylet"} <= {name for name, _, _ in found}
    assert {address for _, address, _ in found} <= {"127.0.0.1", "::1"}, found


CLIENT = """
import sys
from ray._raylet import GcsClient
try:
    client = GcsClient(address=sys.argv[1])
    print("answer", len(client.internal_kv_keys(b"", None, 5)) >= 0)
except Exception as error:
    print("refused", type(error).__name__, error)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "answer"),
    [
        ({"RAY_AUTH_MODE": "token"}, "answer"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}, "refused"),
        ({"RAY_AUTH_MODE": "disabled"}, "refused"),
    ],
    ids=["token of the session", "another token", "no token"],
)
def test_local_ray_answers_only_a_program_with_its_token(local_ray, variables, answer):
    address, token, _ = local_ray
    environment = {**os.environ, "RAY_AUTH_TOKEN_PATH": str(token), **variables}
    arguments = [sys.executable, "-c", CLIENT, address]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith(answer), done.stdout + done.stderr
    if answer == "refused":
        assert "uthenticat" in done.stdout, done.stdout


@pytest.mark.slow
def test_token_of_local_ray_is_new_and_not_in_the_home(local_ray):
    token = local_ray[1]
    assert stat.S_IMODE(token.stat().st_mode) == 0o600 and token.stat().st_uid == os.geteuid()
    assert not token.is_relative_to(Path.home())
    shared = Path.home() / ".ray" / "auth_token"
    assert not shared.exists() or shared.read_text() != token.read_text()
    mine = token.read_text()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            assert mine not in " ".join(process.cmdline()), "all users of a machine can read arguments"


def listening_addresses(port):
    """Return the local addresses that listen on a port, in hexadecimal as in /proc/net/tcp."""
    addresses = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.rpartition(":")[2], 16) == port:
                addresses.add(address.rpartition(":")[0])
    return addresses


def ask(port, method="GET", path="/", **headers):
    """Return the status with which the server on a port answers a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body="{}" if method == "POST" else None, headers=headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's table of sockets")
def test_ui_listens_on_loopback_only_and_refuses_pages_of_other_sites(hostile_run):
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
        assert {address for _, address, _ in listening(server.pid)} == {"127.0.0.1"}
        assert ask(port, Host=f"127.0.0.1:{port}") == 200
        # A page whose name an attacker resolves to 127.0.0.1.
        assert ask(port, Host=f"evil.example:{port}") == 403
        # A page of another site that writes through the browser of the user.
        create = "/api/2.0/mlflow/experiments/create"
        headers = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", "Origin": "http://evil.example"}
        assert ask(port, "POST", create, **headers) == 403
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
