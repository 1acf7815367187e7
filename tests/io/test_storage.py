"""Checkpoints on this machine's disk and on fsspec's file systems: the same contract."""

import os
import uuid

import pytest

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder
from harness.io.storage_mark import WrongStorage


@pytest.fixture(params=["local", "file url", "memory", "written beside, then moved", "s3"])
def folder(request, tmp_path):
    """``local://`` is fsspec's own file system under a name that is not known to put objects whole."""
    if request.param == "s3":
        return Folder.from_location(f"{request.getfixturevalue('bucket')}/trials")
    return {
        "local": Folder.from_location(tmp_path / "trials"),
        "file url": Folder.from_location(f"file://{tmp_path}/trials"),
        "memory": Folder.from_location(f"memory://{uuid.uuid4().hex}/trials"),
        "written beside, then moved": Folder.from_location(f"local://{tmp_path}/trials"),
    }[request.param]


def test_files_are_written_read_listed_and_removed(folder):
    assert folder.list_names() == []
    inside = folder / "abc"
    inside.write("b.zip", b"two")
    inside.write("b.zip", b"three")
    inside.write("a.json", b"one")
    assert folder.list_names() == ["abc"]
    assert inside.list_names() == ["a.json", "b.zip"]
    assert (inside.read("b.zip"), inside.file_size("b.zip")) == (b"three", 5)
    with inside.open("b.zip") as file:
        file.seek(2)
        assert file.read(2) == b"re"
    inside.remove("b.zip")
    inside.remove("b.zip")
    assert inside.list_names() == ["a.json"]


def test_a_name_is_taken_once(folder):
    assert folder.write_new("attempt-0001.json", b"mine")
    assert not folder.write_new("attempt-0001.json", b"yours")
    assert folder.read("attempt-0001.json") == b"mine"


def test_a_file_that_appears_between_look_and_creation_is_not_overwritten(folder, monkeypatch):
    if folder.url.startswith("local://"):
        pytest.skip("a file system without exclusive creation: the claim's token tells who won")
    folder.write("attempt-0001.json", b"theirs")
    monkeypatch.setattr(Folder, "list_names", lambda self: [])
    assert not folder.write_new("attempt-0001.json", b"mine")
    assert folder.read("attempt-0001.json") == b"theirs"


def test_a_folder_is_put_aside(folder):
    (folder / "abc").write("x", b"1")
    (folder / "abc").rename(folder / "abc.superseded-1")
    assert folder.list_names() == ["abc.superseded-1"]
    assert (folder / "abc.superseded-1").read("x") == b"1"


def test_writable_is_tried_and_leaves_nothing(folder):
    folder.require_writable()
    assert folder.list_names() == []


def test_what_is_not_there_is_an_error_with_a_remedy(folder):
    with pytest.raises(HarnessError, match="storage of checkpoints does not answer"):
        folder.read("nothing")


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("nosuch://bucket/x", "nosuch"),
        ("sftp://me:secret@host/x", "password stands in the address"),
        ("/proc/nowhere", "proc"),
    ],
)
def test_places_that_cannot_be(place, says):
    with pytest.raises(HarnessError) as refused:
        Folder.from_location(place).require_writable()
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


def test_checkpoints_are_ordered_by_attempt_before_progress(tmp_path):
    """What a host that was cut off still writes never outranks the attempt that replaced it."""
    folder = Folder.from_location(tmp_path)
    written = [Checkpoint(1, 9), Checkpoint(2, 3), Checkpoint(2, 2, 40), Checkpoint(2, 2)]
    for checkpoint in written:
        folder.write(checkpoint.name, b"")
    folder.write("checkpoint-x.zip", b"")
    assert list_checkpoints(folder) == [Checkpoint(2, 3), Checkpoint(2, 2, 40), Checkpoint(2, 2), Checkpoint(1, 9)]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    folder = Folder.from_location(tmp_path)
    folder.write("x", b"old")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HarnessError, match="No space left"):
        write_atomic(tmp_path / "x", b"new")
    monkeypatch.undo()
    assert (folder.read("x"), folder.list_names()) == (b"old", ["x"])


def test_another_storage_of_the_same_name_is_known(folder):
    mark = folder.mark()
    assert mark == folder.mark()
    folder.require_mark(mark)
    assert (folder / "abc").parent == folder
    assert folder.list_names() == [".depthbench-storage"]
    with pytest.raises(WrongStorage, match=r"does not see the checkpoints .* another storage") as caught:
        folder.require_mark("of another one")
    assert "DEPTHBENCH_STORAGE" in caught.value.remedy
    folder.remove(".depthbench-storage")
    with pytest.raises(WrongStorage, match="nothing of them is there"):
        folder.require_mark(mark)


def test_who_comes_second_takes_the_mark_of_the_first(folder, monkeypatch):
    if folder.url.startswith("local://"):
        pytest.skip("a file system without exclusive creation: both look again after a second")
    mark = folder.mark()
    looked = iter([""])
    found = Folder._found_mark
    monkeypatch.setattr(Folder, "_found_mark", lambda self: next(looked, None) or found(self))
    monkeypatch.setattr(Folder, "list_names", lambda self: [])
    assert folder.mark() == mark
    assert next(looked, "it was looked for once") == "it was looked for once"
