"""Stores to test against: SQLite's empty tables, MLflow servers and PostgreSQL, each on loopback and started once."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from tracking.stores import PASSWORD, SEEDS, SMALL, USER

from harness.tracking.mlflow_record.store.client import open_store


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """Making the tables of a SQLite store takes seconds: once, then copied."""
    file = tmp_path_factory.mktemp("tables") / "mlflow.db"
    open_store(f"sqlite:///{file}")
    return file.read_bytes()


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _healthy(port):
    """Whether an MLflow server answers on a loopback port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except OSError:
        return False


def _wait(answers, process, log, seconds=120):
    for _ in range(seconds * 4):
        if answers():
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.25)
    raise AssertionError(f"it did not start: {log.read_text()}")


@contextmanager
def _mlflow_server(directory, tables, options=(), env=None):
    (directory / "mlflow.db").write_bytes(tables)
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{directory}/mlflow.db"]
    command += ["--artifacts-destination", str(directory / "artifacts"), *options]
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(lambda: _healthy(port), process, log)
        yield SimpleNamespace(uri=f"http://127.0.0.1:{port}", directory=directory)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


@pytest.fixture(scope="session")
def server(tmp_path_factory, tables):
    """An MLflow server that anybody may write to."""
    with _mlflow_server(tmp_path_factory.mktemp("server"), tables) as started:
        yield started


@pytest.fixture(scope="session")
def auth_server(tmp_path_factory, tables):
    """An MLflow server with basic auth, whose administrator is USER with PASSWORD."""
    if importlib.util.find_spec("flask_wtf") is None:
        pytest.skip("mlflow[auth] is not installed")
    directory = tmp_path_factory.mktemp("auth")
    settings = directory / "auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{directory}/users.db\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\nauth_cache_ttl_seconds = 600\n"
    )
    env = {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_USERNAME": USER,
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "for these tests",
    }
    with _mlflow_server(directory, tables, ["--app-name", "basic-auth"], env) as started:
        yield started


@pytest.fixture(scope="session")
def postgresql():
    """PostgreSQL on a loopback port, where USER needs PASSWORD; ``uri(database)`` is the address of a fresh one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(path) for path in [shutil.which("initdb")] if path
    ]
    if not found:
        pytest.skip("Debian's package postgresql is not installed")
    programs = found[-1].parent
    as_user = {}
    if os.getuid() == 0:
        # It refuses to run as root.
        names = {entry.pw_name for entry in pwd.getpwall()}
        as_user = {"user": "postgres" if "postgres" in names else "nobody", "group": None, "extra_groups": []}
        as_user["group"] = pwd.getpwnam(as_user["user"]).pw_gid
    # pytest's own directories are closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="depthbench-postgresql-"))
    secret, log = directory / "password", directory / "log"
    secret.write_text(PASSWORD)
    if as_user:
        for path in (directory, secret):
            shutil.chown(path, as_user["user"], as_user["group"])
    env = {**os.environ, "LC_ALL": "C", "PGPASSWORD": PASSWORD}
    port = _free_port()
    try:
        subprocess.run(
            [programs / "initdb", "-D", directory / "data", "-U", USER, "--auth=scram-sha-256", "--pwfile", secret],
            cwd=directory,
            env=env,
            stdout=subprocess.DEVNULL,
            check=True,
            **as_user,
        )
        command = [programs / "postgres", "-D", directory / "data", "-h", "127.0.0.1", "-p", str(port), "-F"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "-k", directory], cwd=directory, env=env, stdout=output, stderr=output, **as_user
            )
        address = ["-h", "127.0.0.1", "-p", str(port), "-U", USER]

        def answers():
            ready = subprocess.run([programs / "pg_isready", *address], stdout=subprocess.DEVNULL, check=False)
            return ready.returncode == 0

        def uri(database, encoding="UTF8"):
            options = ["-T", "template0", "-E", encoding]
            subprocess.run([programs / "createdb", *address, *options, database], env=env, check=True)
            return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}"

        try:
            _wait(answers, process, log)
            dump, drop = [programs / "pg_dump", *address], [programs / "dropdb", *address, "--force"]
            yield SimpleNamespace(uri=uri, port=port, dump=dump, drop=drop, env=env)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def database(postgresql):
    """One PostgreSQL store with its tables, for all tests that record something."""
    uri = postgresql.uri("store")
    open_store(uri)
    return uri


@pytest.fixture
def ui(tmp_path):
    """Start ``harness ui`` on a store; gives its process and its log once it answers."""
    started = []

    def start(uri):
        port, log = _free_port(), tmp_path / "ui.log"
        command = [sys.executable, "-m", "harness", "ui", "--port", str(port)]
        env = {**os.environ, "MLFLOW_TRACKING_URI": uri}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        started.append(process)
        _wait(lambda: _healthy(port), process, log)
        return process, log

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


@pytest.fixture
def environment(monkeypatch):
    """Credentials as users give them; returns how to set others."""

    def give(user=USER, password=PASSWORD):
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    return give


@pytest.fixture
def study(quick_study):
    seed = next(SEEDS)
    return quick_study(name=f"quick-{seed}", seeds=[seed, seed + 1], **SMALL)
