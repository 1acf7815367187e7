"""Opening a record by the settings."""

import sys

import pytest

from harness.errors import HarnessError
from harness.settings import Settings
from harness.tracking.record import open_record


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("http://127.0.0.1:9", "cannot be reached"),
        ("ftp://x", "'ftp' is not a kind of tracking store"),
        ("sqlite:////proc/nowhere/x.db", "cannot"),
    ],
)
def test_open_record_where_no_store_can_be_raises(tmp_path, uri, message):
    with pytest.raises(HarnessError, match=message):
        open_record(Settings(tmp_path, uri), "x")


def test_open_record_to_read_creates_nothing(tmp_path):
    record = open_record(Settings(tmp_path / "home"), "x", create=False)
    assert record.read_trials() == {}
    assert record.find_in_other_experiments(["a"]) == {}
    assert not (tmp_path / "home").exists()


def test_open_record_without_mlflow_has_no_tracking_uri(tmp_path):
    record = open_record(Settings(tmp_path, "none"), "x")
    assert (record.uri, record.address) == ("", str(tmp_path))


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    "address",
    [
        "postgresql://user:secret@127.0.0.1:9/x",
        "postgresql://user:sec ret/secret?x@127.0.0.1:9/x",
        "postgresql://127.0.0.1:9/x?user=u&password=secret",
        "postgresql+nothing://user:secret@127.0.0.1:9/x",
        "postgresql://user:secret@127.0.0.1:port/x",
        "http://user:secret@127.0.0.1:9",
        "http://user:sec/secret@127.0.0.1:9",
        "http://127.0.0.1:port",
        "ftp://user:secret@127.0.0.1:9",
        "user:secret@127.0.0.1:9/x",
    ],
)
def test_open_record_with_a_bad_address_raises_without_its_password(tmp_path, address, create, capfd):
    with pytest.raises(HarnessError) as caught:
        open_record(Settings(tmp_path, address), "x", create)
    is_shown = address.startswith(("postgresql", "http")) and "sec" in address
    assert is_shown == ("***" in str(caught.value))
    assert "sec" not in str(caught.value) + "".join(capfd.readouterr())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "uri", "message"),
    [
        ("psycopg", "postgresql://user:secret@127.0.0.1:9/x", r"psycopg\[binary\]"),
        ("pymysql", "mysql+pymysql://user:secret@127.0.0.1:9/x", "driver pymysql is not installed"),
    ],
)
def test_open_record_without_the_database_s_driver_raises(tmp_path, monkeypatch, module, uri, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(HarnessError, match=message):
        open_record(Settings(tmp_path, uri), "x")
