"""Stores for tests: an empty SQLite file, MLflow servers and PostgreSQL, each on loopback and started once."""

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
from tracking.helpers import PASSWORD, SMALL_EXPERIMENT, UNUSED_SEEDS, USER

from harness.tracking.mlflow_record.store.client import open_store
from harness.tracking.mlflow_record.writer import MlflowRecord


@pytest.fixture(scope="session")
def empty_sqlite_store(tmp_path_factory):
    """Content of a SQLite file with MLflow's tables. Creating them takes seconds, so tests copy it."""
    file = tmp_path_factory.mktemp("tables") / "mlflow.db"
    open_store(f"sqlite:///{file}")
    return file.read_bytes()


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _is_healthy(port):
    """Return whether an MLflow server answers on a loopback port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except OSError:
        return False


def _wait_for_server(is_ready, process, log, seconds=120):
    deadline = time.monotonic() + seconds
    while not is_ready():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"the server did not start: {log.read_text()}"
        time.sleep(0.25)


@contextmanager
def _mlflow_server(directory, store, options=(), env=None):
    (directory / "mlflow.db").write_bytes(store)
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
        _wait_for_server(lambda: _is_healthy(port), process, log)
        yield SimpleNamespace(uri=f"http://127.0.0.1:{port}", directory=directory)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


@pytest.fixture(scope="session")
def server(tmp_path_factory, empty_sqlite_store):
    """An MLflow server that needs no credentials."""
    with _mlflow_server(tmp_path_factory.mktemp("server"), empty_sqlite_store) as started:
        yield started


@pytest.fixture(scope="session")
def auth_server(tmp_path_factory, empty_sqlite_store):
    """An MLflow server with basic auth; its administrator is USER with PASSWORD."""
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
    with _mlflow_server(directory, empty_sqlite_store, ["--app-name", "basic-auth"], env) as started:
        yield started


@pytest.fixture(scope="session")
def postgresql():
    """PostgreSQL on a loopback port for USER with PASSWORD.

    ``uri(name)`` creates a database and returns its address.
    """
    initdb = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(path) for path in [shutil.which("initdb")] if path
    ]
    if not initdb:
        pytest.skip("Debian's package postgresql is not installed")
    programs = initdb[-1].parent
    as_user = {}
    if os.getuid() == 0:
        # PostgreSQL refuses to run as root.
        names = {entry.pw_name for entry in pwd.getpwall()}
        as_user = {"user": "postgres" if "postgres" in names else "nobody", "group": None, "extra_groups": []}
        as_user["group"] = pwd.getpwnam(as_user["user"]).pw_gid
    # Other users cannot open pytest's own directories.
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

        def is_ready():
            ready = subprocess.run([programs / "pg_isready", *address], stdout=subprocess.DEVNULL, check=False)
            return ready.returncode == 0

        def uri(database, encoding="UTF8"):
            options = ["-T", "template0", "-E", encoding]
            subprocess.run([programs / "createdb", *address, *options, database], env=env, check=True)
            return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}"

        try:
            _wait_for_server(is_ready, process, log)
            dump, drop = [programs / "pg_dump", *address], [programs / "dropdb", *address, "--force"]
            yield SimpleNamespace(uri=uri, port=port, dump=dump, drop=drop, env=env)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def database(postgresql):
    """Address of a PostgreSQL database with MLflow's tables, for all tests that record something."""
    uri = postgresql.uri("store")
    open_store(uri)
    return uri


@pytest.fixture
def ui(tmp_path):
    """Start ``harness ui`` on a store; return its process and its log once the UI answers."""
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
        _wait_for_server(lambda: _is_healthy(port), process, log)
        return process, log

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


@pytest.fixture
def set_credentials(monkeypatch):
    """Set the credentials for MLflow's client in the environment, as a user does."""

    def set_variables(user=USER, password=PASSWORD):
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    return set_variables


@pytest.fixture
def study(quick_study):
    """A small experiment of two variants and two seeds, whose trials no other test has recorded."""
    seed = next(UNUSED_SEEDS)
    return quick_study(name=f"quick-{seed}", seeds=[seed, seed + 1], **SMALL_EXPERIMENT)


@pytest.fixture
def sqlite_record(study, tmp_path, empty_sqlite_store):
    """The record of ``study`` in a SQLite store of the test's own, without trials."""
    (tmp_path / "mlflow.db").write_bytes(empty_sqlite_store)
    record = MlflowRecord(f"sqlite:///{tmp_path}/mlflow.db", study.experiment.name)
    record.prepare_runs(study)
    return record


SERVERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("server", "postgresql", "basic auth")]


@pytest.fixture(params=["sqlite", *SERVERS])
def store_uri(request, tmp_path, empty_sqlite_store, set_credentials):
    """The address of a store of each kind; the environment holds the credentials for it."""
    if request.param == "sqlite":
        (tmp_path / "mlflow.db").write_bytes(empty_sqlite_store)
        return f"sqlite:///{tmp_path}/mlflow.db"
    if request.param == "postgresql":
        return request.getfixturevalue("database")
    if request.param == "server":
        return request.getfixturevalue("server").uri
    set_credentials()
    return request.getfixturevalue("auth_server").uri


@pytest.fixture
def record(store_uri, study, tmp_path):
    """The record of ``study`` in a store of each kind, without trials."""
    record = MlflowRecord(store_uri, study.experiment.name, home=tmp_path / "home")
    record.prepare_runs(study)
    return record
