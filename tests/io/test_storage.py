"""Storage of checkpoints: local directories and fsspec's file systems behave in the same way."""

import pytest

from harness.errors import HarnessError
from harness.io.storage import Folder


def test_folder_that_does_not_exist_has_no_names(folder):
    assert folder.list_names() == []


def test_write_replaces_a_file_and_list_names_is_sorted(folder):
    trial = folder / "abc"
    trial.write("b.zip", b"two")
    trial.write("b.zip", b"three")
    trial.write("a.json", b"one")
    assert folder.list_names() == ["abc"]
    assert trial.list_names() == ["a.json", "b.zip"]
    assert (trial.read("b.zip"), trial.file_size("b.zip")) == (b"three", 5)


def test_open_reads_a_part_of_a_file(folder):
    folder.write("b.zip", b"three")
    with folder.open("b.zip") as file:
        file.seek(2)
        assert file.read(2) == b"re"


def test_remove_of_a_missing_file_does_nothing(folder):
    folder.write("a.json", b"one")
    folder.write("b.zip", b"two")
    folder.remove("b.zip")
    folder.remove("b.zip")
    assert folder.list_names() == ["a.json"]


def test_write_new_keeps_an_existing_file(folder):
    assert folder.write_new("attempt-0001.json", b"first")
    assert not folder.write_new("attempt-0001.json", b"second")
    assert folder.read("attempt-0001.json") == b"first"


def test_write_new_keeps_a_file_that_appears_after_the_listing(folder, monkeypatch):
    if folder.url.startswith("local://"):
        pytest.skip("this file system has no exclusive creation")
    folder.write("attempt-0001.json", b"first")
    monkeypatch.setattr(Folder, "list_names", lambda self: [])
    assert not folder.write_new("attempt-0001.json", b"second")
    assert folder.read("attempt-0001.json") == b"first"


def test_rename_moves_all_files_of_a_folder(folder):
    (folder / "abc").write("x", b"1")
    (folder / "abc").rename(folder / "abc.superseded-1")
    assert folder.list_names() == ["abc.superseded-1"]
    assert (folder / "abc.superseded-1").read("x") == b"1"


def test_parent_of_a_folder_is_the_folder_that_contains_it(folder):
    assert (folder / "abc").parent == folder
    assert (folder / "abc").name == "abc"


def test_require_writable_leaves_nothing_behind(folder):
    folder.require_writable()
    assert folder.list_names() == []


def test_read_of_a_missing_file_is_an_error(folder):
    with pytest.raises(HarnessError, match="storage of checkpoints does not respond"):
        folder.read("nothing")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("nosuch://bucket/x", "nosuch"),
        ("sftp://me:secret@host/x", "contains a password"),
        ("/proc/nowhere", "proc"),
    ],
)
def test_location_that_cannot_be_used_is_refused_without_its_password(location, message):
    with pytest.raises(HarnessError) as error:
        Folder.from_location(location).require_writable()
    assert message in str(error.value)
    assert "secret" not in str(error.value)
