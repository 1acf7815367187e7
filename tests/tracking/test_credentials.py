"""Credentials come from the environment alone: wrong ones are named, and right ones are written nowhere."""

import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from tracking.stores import PASSWORD, SMALL, USER

from harness.errors import HarnessError
from harness.settings import Settings
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.tracking.record import open_record


@pytest.mark.slow
@pytest.mark.parametrize("password", ["", "wrong-secret"])
def test_postgresql_refuses_a_wrong_password(postgresql, tmp_path, monkeypatch, password, capfd):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(HarnessError) as caught:
        open_record(Settings(tmp_path, f"postgresql://{USER}:{password}@127.0.0.1:{postgresql.port}/postgres"), "x")
    assert "password" in caught.value.what and "PGPASSWORD" in caught.value.remedy
    assert "wrong-secret" not in str(caught.value) + "".join(capfd.readouterr())


@pytest.mark.slow
@pytest.mark.parametrize("password", [None, "wrong-secret"])
def test_a_server_refuses_wrong_credentials(harness, auth_server, experiment_file, tmp_path, password):
    given = {} if password is None else {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": password}
    done = harness(
        "run", experiment_file(), "--launcher", "inline", env={**given, "MLFLOW_TRACKING_URI": auth_server.uri}
    )
    assert done.returncode == 2
    for word in ("does not take these credentials", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr and "wrong-secret" not in done.stdout + done.stderr
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.slow
def test_who_may_only_read_is_told_so(auth_server, study, environment, tmp_path, monkeypatch):
    environment()
    MlflowRecord(auth_server.uri, study.experiment.name).prepare_runs(study)
    from mlflow.server import get_app_client

    get_app_client("basic-auth", auth_server.uri).create_user("reader", "only-reading-5")
    environment("reader", "only-reading-5")
    store = MlflowRecord(auth_server.uri, study.experiment.name)
    assert store.read_experiment().to_record_json() == study.to_record_json()
    with pytest.raises(HarnessError, match="does not allow") as caught:
        store.create_trial_run(study, study.trials[0])
    assert "only-reading-5" not in str(caught.value)


def _holding(password, *places):
    """The files below ``places`` that hold a password, also %-encoded."""
    forms = {password.encode(), quote(password, safe="").encode()}
    files = [path for place in places for path in Path(place).rglob("*") if path.is_file()]
    assert files
    return [path for path in files if any(form in path.read_bytes() for form in forms)]


@pytest.mark.slow
def test_the_server_s_password_is_nowhere(harness, auth_server, experiment_file, tmp_path):
    given = {
        "MLFLOW_TRACKING_URI": auth_server.uri,
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": PASSWORD,
    }
    path = experiment_file(name="secretive", **SMALL)
    done = harness("run", path, "--launcher", "inline", env=given)
    assert done.returncode == 0, done.stderr
    assert "View run" not in done.stdout
    again = harness("run", path, "--launcher", "inline", env=given)
    assert "nothing to train" in again.stdout
    others = [harness(*words, env=given) for words in (["plan", path], ["report", "secretive"], ["doctor"])]
    for each in (done, again, *others):
        assert each.returncode == 0, each.stderr
        assert PASSWORD not in each.stdout + each.stderr
    assert (tmp_path / "work" / "reports" / "secretive" / "results.csv").is_file()
    assert list((auth_server.directory / "artifacts").rglob("history.json"))
    assert not _holding(PASSWORD, tmp_path, auth_server.directory)
    with sqlite3.connect(auth_server.directory / "mlflow.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert "secretive" in dump
    assert PASSWORD not in dump


@pytest.mark.slow
def test_the_database_s_password_is_nowhere(harness, postgresql, experiment_file, tmp_path):
    uri = postgresql.uri("secretive")
    path = experiment_file(name="secretive", **SMALL)
    for words in (["run", path, "--launcher", "inline"], ["plan", path], ["report", "secretive"], ["doctor"]):
        done = harness(*words, "--tracking-uri", uri)
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
    assert list((tmp_path / "work" / ".depthbench" / "artifacts" / "secretive").rglob("history.json"))
    assert not _holding(PASSWORD, tmp_path)
    dump = subprocess.run([*postgresql.dump, "secretive"], env=postgresql.env, capture_output=True, check=True)
    assert b"cifar-resnet8-w2" in dump.stdout
    assert PASSWORD.encode() not in dump.stdout


@pytest.mark.slow
def test_the_ui_hands_the_database_s_password_on_unseen(database, ui):
    process, log = ui(database)
    lines = subprocess.run(
        ["ps", "-o", "args=", "-s", str(process.pid), "ww"], capture_output=True, text=True, check=True
    ).stdout
    assert "mlflow" in lines
    assert PASSWORD not in lines + log.read_text()
