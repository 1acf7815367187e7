"""Atomic files: a write that fails leaves the old file and nothing else."""

import os

import pytest

from harness.errors import HarnessError
from harness.io.atomic_files import require_writable, write_atomic


def test_write_atomic_creates_directories_and_replaces_a_file(tmp_path):
    path = tmp_path / "a" / "b" / "x"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["x"]


def test_write_atomic_on_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    write_atomic(tmp_path / "x", b"old")

    def fail(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(HarnessError, match="No space left"):
        write_atomic(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_require_writable_of_a_missing_directory_creates_nothing(tmp_path):
    require_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_require_writable_refuses_a_directory_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match="is not a directory"):
        require_writable(tmp_path / "file" / "a")
