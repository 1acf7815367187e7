"""A local Ray session leaves nothing behind: no process, no file and no variable."""

import os
from pathlib import Path

import psutil
import pytest

from harness.errors import HarnessError
from harness.launchers.ray.local import session as module
from harness.launchers.ray.local.session import LocalRay


@pytest.fixture
def place(tmp_path_factory, monkeypatch):
    """Return the directory in which sessions make theirs."""
    import shutil
    from tempfile import mkdtemp

    path = Path(mkdtemp(prefix="s-", dir="/tmp"))
    monkeypatch.setenv("RAY_TMPDIR", str(path))
    yield path
    shutil.rmtree(path)


def own_variables():
    """Return the variables that a session sets, as they are now. Ray itself sets others."""
    names = ("RAY_AUTH", "RAY_TMPDIR", "RAY_ADDRESS", "RAY_USE_TLS", module.LOOPBACK_VARIABLE)
    return {name: value for name, value in os.environ.items() if name.startswith(names)}


@pytest.mark.parametrize(
    "error", [RuntimeError("Failed to start GCS"), ValueError("x"), OSError(24, "Too many open files"), Exception("y")]
)
def test_failed_start_is_one_error_and_leaves_nothing(place, monkeypatch, error):
    import ray

    def fail(**options):
        assert Path(options["_temp_dir"]).is_dir()
        raise error

    monkeypatch.setattr(ray, "init", fail)
    before = own_variables()
    with pytest.raises(HarnessError, match="Ray did not start on this machine") as caught:
        LocalRay(1)
    assert "--launcher inline" in caught.value.remedy
    assert list(place.iterdir()) == []
    assert own_variables() == before


def test_interrupted_start_leaves_nothing(place, monkeypatch):
    import ray

    def interrupt(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "init", interrupt)
    with pytest.raises(KeyboardInterrupt):
        LocalRay(1)
    assert list(place.iterdir()) == []


@pytest.mark.slow
def test_session_without_shared_memory_runs_a_task_and_leaves_nothing(place, monkeypatch):
    import ray

    monkeypatch.setattr(
        module, "choose_object_store", lambda path: {"object_store_memory": 2**28, "_plasma_directory": str(path)}
    )
    before, children = own_variables(), psutil.Process().children(recursive=True)
    session = LocalRay(1)
    try:
        directory = ray.get(ray.remote(lambda: os.environ["RAY_TMPDIR"]).remote())
        assert Path(directory).parent == place
        assert len(ray.get(ray.put(bytes(2**20)))) == 2**20
    finally:
        session.close()
    assert list(place.iterdir()) == []
    assert own_variables() == before
    left = [process for process in psutil.Process().children(recursive=True) if process not in children]
    assert not psutil.wait_procs(left, timeout=5)[1]
