"""The user's cache directory: the variable, else the usual one, else an error that says what to set."""

import os
import pwd
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.io.user_cache import cache_dir, make_cache_dir, provide_home


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Set HOME to ``tmp_path / "home"``, and no other variable of a directory."""
    for name in ("DEPTHBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "home/.cache/depthbench"),
        ({"DEPTHBENCH_CACHE": ""}, "home/.cache/depthbench"),
        ({"DEPTHBENCH_CACHE": "~/c"}, "home/c"),
        ({"DEPTHBENCH_CACHE": "c"}, "c"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/depthbench"),
        ({"DEPTHBENCH_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "/c"),
    ],
)
def test_cache_dir_follows_the_variables(environment, tmp_path, variables, expected):
    for name, value in variables.items():
        environment.setenv(name, value)
    assert tmp_path / cache_dir() == tmp_path / expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["n" * 300, "~nobody-of-this-name", "file", "file/x"])
def test_unusable_cache_is_an_error_that_names_the_variable(environment, tmp_path, value):
    (tmp_path / "file").touch()
    environment.setenv("DEPTHBENCH_CACHE", value)
    with pytest.raises(HarnessError) as error:
        cache_dir()
    assert error.value.where == "DEPTHBENCH_CACHE"


def test_cache_that_cannot_be_created_is_an_error(environment):
    environment.setenv("DEPTHBENCH_CACHE", "/proc/cache")
    with pytest.raises(HarnessError, match="cannot be created") as error:
        make_cache_dir("staged")
    assert error.value.where == "DEPTHBENCH_CACHE"


def test_user_without_a_home_needs_only_the_variable(environment, tmp_path):
    environment.delenv("HOME")
    environment.setattr(pwd, "getpwuid", lambda number: {}[number])
    with pytest.raises(HarnessError, match="no home directory") as error:
        provide_home()
    assert error.value.where == "DEPTHBENCH_CACHE" and "Set DEPTHBENCH_CACHE" in error.value.remedy
    environment.setenv("DEPTHBENCH_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    provide_home()
    # Path.home() is what MLflow calls when it is imported.
    assert Path.home() == tmp_path
    environment.setenv("HOME", os.environ["HOME"])
