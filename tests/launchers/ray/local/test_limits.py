"""What a local Ray session needs of the machine is checked before Ray starts."""

import resource
from collections import namedtuple

import pytest

from harness.errors import HarnessError
from harness.launchers.ray.local import limits


@pytest.fixture
def limit(monkeypatch):
    """Return a function that sets both limits of this process, as the system reports them."""
    return lambda value: monkeypatch.setattr(resource, "getrlimit", lambda which: (value, value))


@pytest.mark.parametrize(("hard", "cores", "needed"), [(32, 2, 104), (103, 2, 104), (256, 64, 352)])
def test_too_few_descriptors_are_refused_with_the_number_that_ray_needs(limit, hard, cores, needed):
    limit(hard)
    with pytest.raises(HarnessError, match=rf"{hard} files here, and Ray needs {needed} on {cores} cores") as caught:
        limits.require_descriptors(cores)
    assert caught.value.where == "ulimit -n"
    assert "`ulimit -n 4096`" in caught.value.remedy and "--launcher inline" in caught.value.remedy


@pytest.mark.parametrize("hard", [104, 1024, resource.RLIM_INFINITY])
def test_enough_descriptors_are_accepted(limit, hard):
    limit(hard)
    limits.require_descriptors(2)


def test_a_small_limit_for_files_is_refused_because_shared_memory_is_a_file(limit):
    limit(100 * 2**20)
    with pytest.raises(HarnessError, match="a file may have 100 MiB here, and Ray needs 256 MiB") as caught:
        limits.require_file_size()
    assert caught.value.where == "ulimit -f" and "ulimit -f unlimited" in caught.value.remedy
    limit(resource.RLIM_INFINITY)
    limits.require_file_size()


@pytest.fixture
def free(monkeypatch):
    """Return a function that sets the free bytes of shared memory and of the session's directory."""
    Usage = namedtuple("Usage", "free")

    def simulate(tmp_path, shared, own):
        (tmp_path / "shm").mkdir()
        monkeypatch.setattr(limits, "SHARED_MEMORY", tmp_path / "shm")
        sizes = {tmp_path / "shm": shared, tmp_path: own}
        monkeypatch.setattr(limits.shutil, "disk_usage", lambda path: Usage(sizes[path]))

    return simulate


def test_object_store_is_in_shared_memory_if_that_has_room(tmp_path, free):
    free(tmp_path, 2**30, 0)
    assert limits.choose_object_store(tmp_path) == {"object_store_memory": 256 * 2**20}


def test_object_store_is_in_the_session_directory_if_shared_memory_is_small(tmp_path, free):
    free(tmp_path, 64 * 2**20, 2**30)
    assert limits.choose_object_store(tmp_path)["_plasma_directory"] == str(tmp_path)


@pytest.mark.parametrize("shared", ["missing", "/proc"], ids=["missing", "read-only"])
def test_object_store_is_in_the_session_directory_if_shared_memory_takes_no_file(tmp_path, monkeypatch, shared):
    monkeypatch.setattr(limits, "SHARED_MEMORY", tmp_path / shared)
    assert limits.choose_object_store(tmp_path)["_plasma_directory"] == str(tmp_path)


def test_no_room_for_the_object_store_is_an_error_with_both_places(tmp_path, free):
    free(tmp_path, 64 * 2**20, 2**20)
    with pytest.raises(HarnessError, match="256 MiB of shared memory") as caught:
        limits.choose_object_store(tmp_path)
    assert str(tmp_path.parent) in caught.value.what and caught.value.where.endswith("shm")
    assert "--shm-size=1g" in caught.value.remedy and "--launcher inline" in caught.value.remedy
