"""Paths as users give them: each bad one is one error that names what gave it."""

import os
import pwd
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.settings import Settings
from harness.settings.option import options_of, parse_options
from harness.settings.user_paths import home_of_user, resolve_directory, resolve_path, resolve_place

LONG = "n" * 300


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working directory with a file, a link to nothing and a link to itself; HOME is ``tmp_path / "ada"``."""
    directory = tmp_path / "work"
    directory.mkdir()
    (directory / "file").touch()
    (directory / "dangling").symlink_to("nothing")
    (directory / "loop").symlink_to("loop")
    monkeypatch.chdir(directory)
    monkeypatch.setenv("HOME", str(tmp_path / "ada"))
    return directory


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", "HOME"),
        ("~/x", "HOME/x"),
        ("~/", "HOME"),
        ("x/~/y", "x/~/y"),
        ("./~x", "~x"),
        ("x", "x"),
        ("../x", "../x"),
        ("/a b/ä#1", "/a b/ä#1"),
    ],
)
def test_resolve_path_expands_a_tilde_at_the_beginning_only(work, text, expected):
    home = os.environ["HOME"]
    assert resolve_path(text, "--home") == Path(expected.replace("HOME", home))


def test_resolve_path_expands_the_name_of_a_user(work):
    root = pwd.getpwuid(0)
    assert resolve_path(f"~{root.pw_name}/x", "--home") == Path(root.pw_dir) / "x"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the path is empty"),
        ("  ", "the path is empty"),
        ("a\0b", "zero character"),
        ("\udcff", "not valid UTF-8"),
        (LONG, "'nnn.*' cannot be used as a path: File name too long"),
        (f"x/{LONG}/y", "File name too long"),
        ("x/" * 2500, "File name too long"),
        ("file/x", "Not a directory"),
        ("loop/x", "Too many levels of symbolic links"),
        ("~nobody-of-this-name/x", "no user 'nobody-of-this-name'"),
        (f"~{LONG}", "no user 'n"),
    ],
)
@pytest.mark.parametrize("resolve", [resolve_path, resolve_directory, resolve_place])
def test_path_that_cannot_be_used_is_an_error_that_names_the_option(work, resolve, text, what):
    with pytest.raises(HarnessError, match=what) as error:
        resolve(text, "--home")
    assert error.value.where == "--home" and error.value.remedy and len(error.value.what) < 200


@pytest.mark.parametrize(("text", "what"), [("file", "is not a directory"), ("dangling", "a link"), ("loop", "a link")])
def test_resolve_directory_refuses_what_is_no_directory(work, text, what):
    with pytest.raises(HarnessError, match=what):
        resolve_directory(text, "--home")
    assert resolve_path(text, "--weights") == Path(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/x", "s3://bucket/x"),
        ("https://host/d.pack?a=b#c", "https://host/d.pack?a=b#c"),
        ("file:///data/a%20b", "/data/a b"),
        ("file:///~/x", "HOME/x"),
        ("file://~/x", "HOME/x"),
        ("file://localhost/data/x", "/data/x"),
        ("file:/data/x", "/data/x"),
        ("FILE:///data/x", "/data/x"),
        ("~/x", "HOME/x"),
        ("x", "x"),
    ],
)
def test_resolve_place_keeps_a_url_and_reads_a_path(work, text, expected):
    assert resolve_place(text, "--storage") == expected.replace("HOME", os.environ["HOME"])


def test_resolve_place_refuses_a_broken_url(work):
    with pytest.raises(HarnessError, match="not a URL"):
        resolve_place("s3://[bucket/x", "--storage")


def test_resolve_place_refuses_a_file_of_another_host(work):
    with pytest.raises(HarnessError, match="is a file of the host nas"):
        resolve_place("file://nas/data/x", "--storage")


def test_error_names_the_variable_that_gave_the_path(work, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_HOME", "file")
    for text, where in (("file", "DEPTHBENCH_HOME"), ("file/x", "--home")):
        with pytest.raises(HarnessError) as error:
            parse_options(Settings, {"home": text})
        assert error.value.where == where


@pytest.mark.parametrize("home", ["", None, "not/absolute"])
def test_home_without_a_usable_home_variable_is_that_of_the_system_s_list(work, monkeypatch, home):
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert home_of_user("--home") == Path(pwd.getpwuid(os.getuid()).pw_dir)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    with pytest.raises(HarnessError, match="no home directory") as error:
        resolve_path("~/x", "--home")
    assert error.value.where == "--home" and "set HOME" in error.value.remedy
    assert resolve_path("x", "--home") == Path("x")


def test_deleted_working_directory_is_an_error(work):
    (work.parent / "gone").mkdir()
    os.chdir(work.parent / "gone")
    (work.parent / "gone").rmdir()
    with pytest.raises(HarnessError, match="working directory") as error:
        resolve_path("x", "--home")
    assert "cd ~" in error.value.remedy


@pytest.mark.parametrize("name", ["home", "reports", "storage", "data_root"])
def test_every_option_for_a_path_reads_it_in_the_same_way(work, name):
    assert str(parse_options(Settings, {name: "~/x"}).__getattribute__(name)) == f"{os.environ['HOME']}/x"
    for text in ("", LONG, "~nobody-of-this-name"):
        with pytest.raises(HarnessError) as error:
            parse_options(Settings, {name: text})
        assert error.value.where == options_of(Settings)[name].flag
