"""A store that was moved or copied: it reads and writes beside itself, and its addresses follow it."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tracking.helpers import publish_all

from harness.errors import HarnessError
from harness.tracking.lock import ExperimentLock
from harness.tracking.mlflow_record.store.addresses import rebase_artifacts
from harness.tracking.mlflow_record.store.moved_store import adopt_store, is_read_only, require_writable_store
from harness.tracking.mlflow_record.writer import MlflowRecord

COLUMNS = [("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location")]


@pytest.fixture
def home(tmp_path, study, empty_sqlite_store):
    """A home with the record of ``study`` and its two histories."""
    home = tmp_path / "orig" / "home"
    home.mkdir(parents=True)
    (home / "mlflow.db").write_bytes(empty_sqlite_store)
    record = open_home(home, study)
    record.prepare_runs(study, str(home / "trials"))
    publish_all(record, study)
    return home


def open_home(home, study):
    return MlflowRecord(f"sqlite:///{home}/mlflow.db", study.experiment.name, create=False, home=home)


def read_hashes(directory):
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read_addresses(home):
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        rows = [row[0] for table, column in COLUMNS for row in connection.execute(f"SELECT {column} FROM {table}")]
    return {row for row in rows if "/artifacts/" in row}


def record_more(home, study):
    """Do what a run and its report do in a home."""
    record = open_home(home, study)
    record.prepare_runs(study, str(home / "trials"))
    trial = study.trials[0]
    run_id = record.create_trial_run(study, trial)
    record.mark_failed(run_id, "an error", "a traceback")
    assert record.read_traceback(run_id) == "a traceback"
    report = home.parent / "report"
    (report / "figures").mkdir(parents=True, exist_ok=True)
    (report / "figures" / "a.svg").write_text("a figure")
    record.attach_report(report, "**A headline**")
    return record


def test_copy_writes_under_itself_and_leaves_the_original_untouched(home, study, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    before = read_hashes(home)
    record_more(copy, study)
    assert read_hashes(home) == before
    assert [path.read_text() for path in copy.rglob("figures/a.svg")] == ["a figure"]
    assert len(list(copy.rglob("traceback.txt"))) == 1
    addresses = read_addresses(copy)
    assert len(addresses) >= 6 and all(address.startswith(f"file://{copy}/artifacts/") for address in addresses)
    assert all(address.startswith(f"file://{home}/artifacts/") for address in read_addresses(home))


@pytest.mark.parametrize("fate", ["moved", "a file in its place", "closed", "a link to the copy"])
def test_copy_does_not_need_the_original(home, study, tmp_path, fate):
    new = tmp_path / "new" / "deeper" / "home"
    new.parent.mkdir(parents=True)
    home.rename(new)
    if fate == "a file in its place":
        home.parent.rmdir()
        home.parent.touch()
    elif fate == "closed":
        home.parent.chmod(0)
    elif fate == "a link to the copy":
        home.symlink_to(new)
    ids = [trial.id for trial in study.trials]
    moved = open_home(new, study)
    assert moved.read_storage() == str((home if fate == "a link to the copy" else new) / "trials")
    assert moved.read_experiment().to_record_json() == study.to_record_json()
    assert {history.id for history in moved.read_histories(ids)} == set(ids)
    record_more(new, study)
    assert moved.read_storage() == str(new / "trials")
    assert len(list(new.rglob("traceback.txt"))) == 1


def test_reading_a_copy_changes_nothing(home, study, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    before = read_hashes(copy), read_hashes(home)
    record = open_home(copy, study)
    assert len(record.read_histories([trial.id for trial in study.trials])) == len(study.trials)
    assert (read_hashes(copy), read_hashes(home)) == before


def test_copy_reads_its_own_files_and_not_those_of_the_original(home, study, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    for file in copy.rglob("history.json"):
        file.unlink()
    with pytest.raises(HarnessError, match=r"history\.json cannot be read"):
        open_home(copy, study).read_histories([study.trials[0].id])


def test_adopt_store_leaves_experiments_of_other_programs(home, study, tmp_path):
    record = open_home(home, study)
    elsewhere = f"file://{tmp_path}/other/artifacts/theirs"
    record.client.create_experiment("theirs", elsewhere)
    new = tmp_path / "new"
    home.rename(new)
    adopt_store(f"sqlite:///{new}/mlflow.db")
    addresses = read_addresses(new)
    assert elsewhere in addresses
    assert all(address.startswith(f"file://{new}/artifacts/") for address in addresses - {elsewhere})


def test_original_that_is_driven_does_not_lock_its_copy(home, study, tmp_path):
    with ExperimentLock(open_home(home, study), "harness run quick").hold():
        shutil.copytree(home, tmp_path / "copy")
        with pytest.raises(HarnessError, match="has held this experiment"):
            ExperimentLock(open_home(home, study), "harness sync quick").hold().__enter__()
        with ExperimentLock(open_home(tmp_path / "copy", study), "harness run quick").hold() as lock:
            lock.require_held()


def test_store_that_may_only_be_read_is_refused_for_writing(home, study, monkeypatch):
    uri = f"sqlite:///{home}/mlflow.db"
    assert not is_read_only(uri) and not is_read_only("http://127.0.0.1:5000")
    # Permission bits do not bind root, who may run the tests.
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != home)
    assert is_read_only(uri)
    with pytest.raises(HarnessError, match="may only be read"):
        require_writable_store(uri)
    record = open_home(home, study)
    assert record.is_read_only and record.read_trials()
    with pytest.raises(HarnessError, match="may only be read"):
        record.write_lease("x")


@pytest.mark.parametrize(
    ("recorded", "current"),
    [
        ("/old/artifacts/quick", "/new/artifacts/quick"),
        ("/old/artifacts/quick/12ab/artifacts", "/new/artifacts/quick/12ab/artifacts"),
        ("/old/artifacts/quick/models/m-1/artifacts", "/new/artifacts/quick/models/m-1/artifacts"),
        ("/old/artifacts/artifacts/12ab/artifacts", "/new/artifacts/artifacts/12ab/artifacts"),
        ("/old/artifacts/artifacts/models/m-1/artifacts", "/new/artifacts/artifacts/models/m-1/artifacts"),
        ("/artifacts/artifacts/quick/12ab/artifacts", "/new/artifacts/quick/12ab/artifacts"),
        ("/old/mlruns/1/12ab/artifacts", None),
        ("/old/mlruns/1", None),
    ],
)
def test_rebase_artifacts_takes_only_the_end_of_an_address(recorded, current):
    assert rebase_artifacts(Path(recorded), Path("/new/artifacts")) == (current and Path(current))
