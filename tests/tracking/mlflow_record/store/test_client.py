"""Creating a SQLite store, and opening one whose creation was interrupted."""

import sqlite3

import pytest

from harness.errors import HarnessError
from harness.settings import Settings
from harness.tracking.mlflow_record.store.client import create_sqlite_store
from harness.tracking.record import open_record


def test_create_sqlite_store_leaves_a_store_that_another_process_created(tmp_path, empty_sqlite_store):
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_sqlite_store)
    before = file.stat().st_ino
    create_sqlite_store(file)
    assert file.stat().st_ino == before and sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db"]


def test_create_sqlite_store_makes_stores_that_do_not_share_their_experiments(tmp_path):
    """The second store of a process is a copy of the first one as it was before anything was recorded in it."""
    stores = [Settings(tmp_path / name) for name in ("one", "two")]
    open_record(stores[0], "first").client.create_experiment("first")
    names = [{found.name for found in open_record(each, "x").client.search_experiments()} for each in stores]
    assert names == [{"Default", "first"}, {"Default"}]


@pytest.fixture
def unfinished_store(tmp_path):
    """A home whose SQLite file has some of MLflow's tables, as a killed first run leaves it."""
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY)")
    connection.close()
    return tmp_path


def test_open_record_to_read_an_unfinished_store_finds_nothing(unfinished_store):
    assert open_record(Settings(unfinished_store), "x", create=False).read_trials() == {}
    assert not (unfinished_store / "mlflow.db.unfinished").exists()


def test_open_record_of_an_unfinished_store_replaces_it(unfinished_store):
    assert open_record(Settings(unfinished_store), "x").read_trials() == {}
    assert (unfinished_store / "mlflow.db.unfinished").exists()
    assert not list(unfinished_store.glob(".making-*"))


def test_open_record_of_another_file_raises(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database, whatever its name says")
    with pytest.raises(HarnessError, match="not a database"):
        open_record(Settings(tmp_path), "x")
