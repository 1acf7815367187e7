"""The private directory of a local Ray session, where TMPDIR is long, missing, read-only or shared."""

import os
import stat
import subprocess
import sys
from collections import namedtuple

import pytest

from harness.errors import HarnessError
from harness.launchers.ray.local import directory as module
from harness.launchers.ray.local.directory import MAX_SOCKET_PATH, OWNER, PREFIX, SOCKET, create_directory
from harness.processes import Process


@pytest.fixture
def base(monkeypatch):
    """Return a short usable directory that stands for /tmp. No other variable names one."""
    import shutil
    from pathlib import Path
    from tempfile import mkdtemp

    path = Path(mkdtemp(prefix="b-", dir="/tmp"))
    monkeypatch.setattr(module, "OTHER_BASES", (str(path),))
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    yield path
    shutil.rmtree(path)


def make_base(base, kind):
    """Return a path that cannot hold the session's directory, and the reason that the error gives."""
    path = base / kind
    if kind == "long":
        path = base / ("x" * 80)
        path.mkdir()
        return path, "too long for a socket"
    if kind == "a file":
        path.write_text("")
        return path, "not a directory"
    if kind == "shared":
        path.mkdir()
        path.chmod(0o777)
        return path, "no sticky bit"
    if kind == "foreign":
        path.mkdir()
        if os.geteuid() == 0:
            os.chown(path, 12345, -1)
        return path, "belongs to another user"
    if kind == "proc":
        return "/proc", "No such file"
    return path, "No such file"


BAD = ["long", "a file", "shared", "missing", "proc", "foreign"]


@pytest.mark.parametrize("kind", BAD)
def test_unusable_tmpdir_gives_a_directory_elsewhere(base, monkeypatch, kind):
    if kind == "foreign" and os.geteuid():
        pytest.skip("only root can give a directory away")
    monkeypatch.setenv("TMPDIR", str(make_base(base, kind)[0]))
    assert create_directory().parent == base


@pytest.mark.parametrize("kind", BAD)
def test_unusable_ray_tmpdir_is_an_error_that_names_it(base, monkeypatch, kind):
    if kind == "foreign" and os.geteuid():
        pytest.skip("only root can give a directory away")
    path, reason = make_base(base, kind)
    monkeypatch.setenv("RAY_TMPDIR", str(path))
    with pytest.raises(HarnessError, match=reason) as caught:
        create_directory()
    assert caught.value.where == "RAY_TMPDIR"
    assert str(path) in caught.value.what
    assert "RAY_TMPDIR=/tmp" in caught.value.remedy and "--launcher inline" in caught.value.remedy


def test_directory_on_a_disk_that_is_nearly_full_is_not_used(base, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage(2**20))
    with pytest.raises(HarnessError, match="1 MiB of free space, and Ray needs 64 MiB"):
        create_directory()
    assert list(base.iterdir()) == []


def test_no_usable_directory_at_all_is_an_error_that_lists_them(base, monkeypatch):
    monkeypatch.setattr(module, "OTHER_BASES", ("/proc",))
    monkeypatch.setenv("TMPDIR", str(base / "missing"))
    with pytest.raises(HarnessError, match=r"/missing: No such file.*; /proc: No such file") as caught:
        create_directory()
    assert caught.value.where == "TMPDIR"


@pytest.mark.parametrize("room", [0, -1])
def test_directory_is_used_up_to_the_longest_path_that_a_socket_can_have(base, monkeypatch, room):
    left = MAX_SOCKET_PATH - len(f"/{PREFIX}12345678{SOCKET}") - len(f"{base}/")
    path = base / ("x" * (left - room))
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    assert create_directory().parent == (base if room else path)


def test_directory_is_private_and_has_a_name_that_cannot_be_predicted(base):
    base.chmod(0o1777)
    first, second = create_directory(), create_directory()
    assert first != second and first.name.startswith(PREFIX)
    for path in (first, second):
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (0o700, os.geteuid())
    assert Process.model_validate_json((first / OWNER).read_text()) == Process.current()


def test_directory_of_an_ended_process_is_deleted_and_that_of_a_running_one_is_kept(base):
    running, abandoned, stranger = create_directory(), create_directory(), base / f"{PREFIX}stranger"
    code = "from harness.processes import Process; print(Process.current().model_dump_json())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    (abandoned / OWNER).write_text(ended)
    (abandoned / "session_2026").mkdir()
    stranger.mkdir()
    (base / f"{PREFIX}link").symlink_to(running)
    new = create_directory()
    assert {path.name for path in base.iterdir()} == {running.name, stranger.name, f"{PREFIX}link", new.name}
