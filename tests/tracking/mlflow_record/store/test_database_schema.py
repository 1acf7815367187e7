"""A database with the schema of another MLflow is refused and left as it is."""

import sqlite3
import subprocess

import pytest
from tracking.helpers import PASSWORD

from harness.errors import HarnessError
from harness.settings import Settings
from harness.tracking.record import open_record

NEWER, OLDER = "ffffffffffff", "451aebb31d03"


@pytest.fixture
def store_with_schema(tmp_path, empty_sqlite_store):
    """Make a SQLite store that claims a schema revision; return its file."""

    def make(revision):
        file = tmp_path / "home" / "mlflow.db"
        file.parent.mkdir()
        file.write_bytes(empty_sqlite_store)
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
        connection.close()
        return file

    return make


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        (NEWER, ["does not know its schema", "a newer MLflow", "pip install --upgrade mlflow"]),
        (OLDER, ["an older MLflow", "mlflow db upgrade sqlite:///"]),
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_open_record_with_another_schema_raises_and_changes_nothing(store_with_schema, revision, words, create):
    file = store_with_schema(revision)
    before = file.read_bytes()
    with pytest.raises(HarnessError) as caught:
        open_record(Settings(file.parent), "x", create)
    for word in [*words, revision, str(file)]:
        assert word in str(caught.value)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_open_record_with_an_older_schema_and_missing_tables_migrates_nothing(store_with_schema):
    """MLflow itself would create the missing tables, and migrate all others with them."""
    file = store_with_schema(OLDER)
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE trace_tags")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(HarnessError, match="an older MLflow"):
        open_record(Settings(file.parent), "x")
    assert file.read_bytes() == before


def test_harness_run_with_a_newer_schema_exits_with_2(harness, experiment_file, store_with_schema):
    home = store_with_schema(NEWER).parent
    done = harness("run", experiment_file(), "--launcher", "inline", "--home", home)
    assert done.returncode == 2
    assert "a newer MLflow" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_open_record_to_read_an_empty_database_creates_no_tables(postgresql, tmp_path, monkeypatch):
    """The database has the encoding SQL_ASCII, so psycopg returns text as bytes. The password is in the environment."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    uri = postgresql.uri("empty", "SQL_ASCII").replace(f":{PASSWORD}", "")
    assert open_record(Settings(tmp_path, uri), "x", create=False).read_trials() == {}
    dump = subprocess.run([*postgresql.dump, "empty"], env=postgresql.env, capture_output=True, text=True, check=True)
    assert "CREATE TABLE" not in dump.stdout
    record = open_record(Settings(tmp_path, uri), "x")
    assert record.is_new
    assert PASSWORD not in record.address
