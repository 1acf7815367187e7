"""The mark of a storage, by which a host checks that it sees the same storage as another host."""

import pytest

from harness.io import storage_mark
from harness.io.storage import Folder
from harness.io.storage_mark import MARK, WrongStorage, ensure_mark, require_mark


def test_ensure_mark_writes_the_mark_once(folder):
    mark = ensure_mark(folder)
    assert ensure_mark(folder) == mark
    assert folder.list_names() == [MARK]
    require_mark(folder, mark)


def test_ensure_mark_returns_the_mark_that_another_process_wrote_at_the_same_time(folder, monkeypatch):
    if folder.url.startswith("local://"):
        pytest.skip("this file system has no exclusive creation")
    mark = ensure_mark(folder)
    # As if the other process wrote its mark right after this one saw none.
    monkeypatch.setattr(storage_mark, "read_mark", lambda storage: "")
    monkeypatch.setattr(Folder, "list_names", lambda self: [])
    assert ensure_mark(folder) == mark


def test_require_mark_refuses_another_storage(folder):
    ensure_mark(folder)
    with pytest.raises(WrongStorage, match=r"does not see the checkpoints .* holds another storage") as error:
        require_mark(folder, "another mark")
    assert "DEPTHBENCH_STORAGE" in error.value.remedy


def test_require_mark_refuses_a_folder_without_a_mark(folder):
    with pytest.raises(WrongStorage, match="holds no storage"):
        require_mark(folder, "a mark")
