"""Credentials come from the environment alone: wrong ones are reported, and right ones are written nowhere."""

import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from tracking.helpers import PASSWORD, SMALL_EXPERIMENT, USER

from harness.errors import HarnessError
from harness.settings import Settings
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.tracking.record import open_record

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("password", ["", "wrong-secret"])
def test_open_record_with_a_wrong_database_password_raises_without_it(
    postgresql, tmp_path, monkeypatch, password, capfd
):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(HarnessError) as caught:
        open_record(Settings(tmp_path, f"postgresql://{USER}:{password}@127.0.0.1:{postgresql.port}/postgres"), "x")
    assert "password" in caught.value.what and "PGPASSWORD" in caught.value.remedy
    assert "wrong-secret" not in str(caught.value) + "".join(capfd.readouterr())


@pytest.mark.parametrize("password", [None, "wrong-secret"])
def test_harness_run_with_wrong_server_credentials_exits_with_2(
    harness, auth_server, experiment_file, tmp_path, password
):
    credentials = {} if password is None else {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": password}
    env = {**credentials, "MLFLOW_TRACKING_URI": auth_server.uri}
    done = harness("run", experiment_file(), "--launcher", "inline", env=env)
    assert done.returncode == 2
    for word in ("refuses those given", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr and "wrong-secret" not in done.stdout + done.stderr
    assert not list((tmp_path / "work").iterdir())


def test_record_of_a_user_who_may_only_read_can_be_read_and_refuses_to_write(auth_server, study, set_credentials):
    set_credentials()
    MlflowRecord(auth_server.uri, study.experiment.name).prepare_runs(study)
    from mlflow.server import get_app_client

    get_app_client("basic-auth", auth_server.uri).create_user("reader", "only-reading-5")
    set_credentials("reader", "only-reading-5")
    record = MlflowRecord(auth_server.uri, study.experiment.name)
    assert record.read_experiment().to_record_json() == study.to_record_json()
    with pytest.raises(HarnessError, match="does not allow") as caught:
        record.create_trial_run(study, study.trials[0])
    assert "only-reading-5" not in str(caught.value)


def find_files_with(password, *paths):
    """Return the files at or below some paths that hold a password, also %-encoded."""
    forms = {password.encode(), quote(password, safe="").encode()}
    files = [file for path in paths for file in [Path(path), *Path(path).rglob("*")] if file.is_file()]
    assert files
    return [file for file in files if any(form in file.read_bytes() for form in forms)]


def test_password_of_a_server_is_in_no_output_and_no_file(harness, auth_server, experiment_file, tmp_path):
    env = {
        "MLFLOW_TRACKING_URI": auth_server.uri,
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": PASSWORD,
    }
    path = experiment_file(name="secretive", **SMALL_EXPERIMENT)
    run = harness("run", path, "--launcher", "inline", env=env)
    assert run.returncode == 0, run.stderr
    assert "View run" not in run.stdout
    second = harness("run", path, "--launcher", "inline", env=env)
    assert "nothing to train" in second.stdout
    others = [harness(*words, env=env) for words in (["plan", path], ["report", "secretive"], ["doctor"])]
    for done in (run, second, *others):
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
    assert (tmp_path / "work" / "reports" / "secretive" / "results.csv").is_file()
    database, artifacts = auth_server.directory / "mlflow.db", auth_server.directory / "artifacts"
    assert list(artifacts.rglob("history.json"))
    assert b"secretive" in database.read_bytes()
    assert not find_files_with(PASSWORD, tmp_path, artifacts, database)


def test_password_of_a_database_is_in_no_output_and_no_file(harness, postgresql, experiment_file, tmp_path):
    uri = postgresql.uri("secretive")
    path = experiment_file(name="secretive", **SMALL_EXPERIMENT)
    for words in (["run", path, "--launcher", "inline"], ["plan", path], ["report", "secretive"], ["doctor"]):
        done = harness(*words, "--tracking-uri", uri)
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
    assert list((tmp_path / "work" / ".depthbench" / "artifacts" / "secretive").rglob("history.json"))
    assert not find_files_with(PASSWORD, tmp_path)
    dump = subprocess.run([*postgresql.dump, "secretive"], env=postgresql.env, capture_output=True, check=True)
    assert b"cifar-resnet8-w2" in dump.stdout
    assert PASSWORD.encode() not in dump.stdout


def test_harness_ui_passes_the_password_of_a_database_on_in_no_command_line(database, ui):
    process, log = ui(database)
    lines = subprocess.run(
        ["ps", "-o", "args=", "-s", str(process.pid), "ww"], capture_output=True, text=True, check=True
    ).stdout
    assert "mlflow" in lines
    assert PASSWORD not in lines + log.read_text()
