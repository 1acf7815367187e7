"""Facts of data sets are believed only as long as no file can have changed."""

import gzip
import hashlib
import json
import os
import shutil
import struct
import time

import numpy as np
import pytest
from image_trees import write_image, write_tree

from harness.api.data import pack_data
from harness.data import facts_cache, image_files
from harness.data.description import describe_data
from harness.data.splits import load_splits
from harness.errors import HarnessError
from harness.specs import DataSpec

LONG_AGO = (10**18, 10**18)


@pytest.fixture(autouse=True)
def settled_files(monkeypatch):
    """Believe the time of files that were written just now, as if the test had waited; it has no time to."""
    monkeypatch.setattr(facts_cache, "CLOCK_STEP", -(10**18))


def describe(root, **fields):
    fields = {"name": "imagefolder", "image_size": 4, "test_fraction": 0.5, **fields}
    return describe_data(DataSpec(root=str(root), **fields))


def fingerprint(root, **fields):
    return describe(root, **fields)[0].fingerprint


@pytest.fixture
def reads(monkeypatch):
    """The images that were read, by name."""
    paths, read = [], image_files.read_file
    monkeypatch.setattr(image_files, "read_file", lambda path: paths.append(path.name) or read(path))
    return paths


@pytest.fixture
def root(tmp_path):
    """Two classes of two images, all with the same old time of change."""
    root = write_tree(tmp_path / "root", "ant", "bee")
    for path in root.rglob("*.ppm"):
        os.utime(path, ns=LONG_AGO)
    return root


def test_unchanged_folder_is_read_once(root, reads):
    first = describe(root)
    assert sorted(reads) == ["0.ppm", "0.ppm", "1.ppm", "1.ppm"]
    assert describe(root) == first and len(reads) == 4


def write_in_place(path):
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


def write_and_rename(path):
    new = path.with_name(".new")
    new.write_bytes(path.read_bytes()[:-1] + b"\x02")
    os.utime(new, ns=LONG_AGO)
    new.replace(path)


def link_to_another_file(path):
    pool = path.parents[2] / "pool.ppm"
    write_image(pool, value=9)
    os.utime(pool, ns=LONG_AGO)
    path.unlink()
    path.symlink_to(pool)


def swap_directories(path):
    other = path.parents[2] / "other"
    shutil.copytree(path.parent, other)
    (other / path.name).write_bytes(path.read_bytes()[:-1] + b"\x03")
    for copy in other.iterdir():
        os.utime(copy, ns=LONG_AGO)
    path.parent.rename(path.parents[2] / "old")
    other.rename(path.parent)


@pytest.mark.parametrize("change", [write_in_place, write_and_rename, link_to_another_file, swap_directories])
def test_content_replaced_at_equal_path_size_and_time_has_another_fingerprint(root, change, monkeypatch, tmp_path):
    path = root / "bee" / "1.ppm"
    before, size = fingerprint(root), path.stat().st_size
    change(path)
    os.utime(path, ns=LONG_AGO)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (size, LONG_AGO[1])
    after = fingerprint(root)
    assert after != before
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "empty"))
    assert fingerprint(root) == after


def test_decoded_images_follow_content_replaced_at_equal_path_size_and_time(root):
    write_image(root / "ant" / "0.ppm", 7)
    before = load_splits(describe(root)[1])
    for path in root.rglob("*.ppm"):
        path.write_bytes(b"P6 4 4 255\n" + bytes([201] * 48))
        os.utime(path, ns=LONG_AGO)
    after = load_splits(describe(root)[1])
    assert (after.train.images == 201).all() and (after.test.images == 201).all()
    assert not (before.train.images == 201).all()


def write_fashion(root, value):
    """Write Fashion-MNIST's four files, uncompressed, with times as of an archive."""
    root.mkdir(exist_ok=True)
    for name, count in (("train", 20), ("t10k", 10)):
        images = np.full((count, 28, 28), value, np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 2
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
            path = root / f"{name}-{kind}-ubyte"
            path.write_bytes(header + array.tobytes())
            os.utime(path, ns=LONG_AGO)


def test_idx_files_replaced_at_equal_path_size_and_time_have_another_fingerprint(tmp_path):
    seen = []
    for value in (10, 20, 10):
        write_fashion(tmp_path / "fashion", value)
        info, spec = describe(tmp_path / "fashion", name="fashion-mnist", image_size=None)
        assert (load_splits(spec).train.images == value).all()
        seen.append(info.fingerprint)
    assert seen[0] == seen[2] != seen[1]


def test_packed_file_replaced_at_equal_path_size_and_time_has_another_fingerprint(tmp_path):
    seen = []
    for value in (10, 20):
        write_fashion(tmp_path / "fashion", value)
        pack_data("fashion-mnist", str(tmp_path / "data.pack"), tmp_path / "fashion")
        os.utime(tmp_path / "data.pack", ns=LONG_AGO)
        seen.append((fingerprint(tmp_path / "data.pack", name="fashion-mnist", image_size=None),
                     (tmp_path / "data.pack").stat().st_size))  # fmt: skip
    assert seen[0][0] != seen[1][0] and seen[0][1] == seen[1][1]


def test_cache_file_of_an_earlier_version_is_not_believed(root, cache):
    """Earlier versions took path, size and time of change as the key, in this form."""
    from harness.specs.identity import digest

    right = fingerprint(root)
    files = sorted(root.rglob("*.ppm"))
    stamps = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    wrong = {"fingerprint": "0" * 16, "shape": [3, 0, 0], "classes": 2, "labels": [0, 0, 1, 1], "test": None}
    shutil.rmtree(cache / "facts")
    (cache / "facts").mkdir()
    (cache / "facts" / f"{digest(['imagefolder', stamps], 20)}.json").write_text(json.dumps(wrong))
    assert fingerprint(root) == right


def with_checksum(content):
    """Return the content of a cache file of another version."""
    json.loads(content)
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "a label": lambda content: content.replace(b'"labels": [0, 0,', b'"labels": [0, 1,'),
    "json without a checksum": lambda content: content.partition(b"\n")[2],
    "another json": lambda content: b"{}",
    "null": lambda content: b"null",
    "bytes": lambda content: bytes(range(256)),
    "compressed": gzip.compress,
    "fewer fields": lambda content: with_checksum(content.partition(b', "notes"')[0].partition(b"\n")[2] + b"}"),
    "more fields": lambda content: with_checksum(b'{"new": 1, ' + content.partition(b"\n{")[2]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_cache_file_is_made_again(root, cache, damage, reads):
    first = describe(root)
    (file,) = (cache / "facts").iterdir()
    content = file.read_bytes()
    file.write_bytes(DAMAGES[damage](content))
    assert file.read_bytes() != content
    assert describe(root) == first
    assert len(reads) == 8 and file.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"no archive", b"\x93NUMPY"])
def test_damaged_split_in_the_cache_is_made_again(root, cache, content):
    first = describe(root)
    (file,) = (cache / "splits").iterdir()
    file.write_bytes(content)
    assert describe(root) == first


def test_facts_of_files_that_changed_just_now_are_not_kept(root, cache, monkeypatch):
    monkeypatch.setattr(facts_cache, "CLOCK_STEP", 2 * 10**9)
    first = fingerprint(root)
    assert not (cache / "facts").exists()
    path = root / "bee" / "1.ppm"
    write_in_place(path)
    # As on a file system whose clock has not moved since: all that the cache can see is equal.
    stamps = facts_cache.stamp_files([path])
    monkeypatch.setattr(facts_cache, "stamp_files", lambda files: [(str(f), *stamps[0][1:]) for f in files])
    second = fingerprint(root)
    write_and_rename(path)
    assert len({first, second, fingerprint(root)}) == 3


@pytest.mark.parametrize("hours", [-5, 5])
def test_facts_of_a_file_server_with_another_clock_are_kept(root, cache, monkeypatch, hours):
    monkeypatch.setattr(facts_cache, "CLOCK_STEP", 2 * 10**9)
    now = time.time_ns
    monkeypatch.setattr("time.time_ns", lambda: now() + hours * 3600 * 10**9)
    describe(root)
    assert len(list((cache / "facts").iterdir())) == 1


def change_once(monkeypatch, change, times=1):
    """Call ``change`` after the first image of each of the next readings of a folder."""
    state, read = {"left": times}, image_files.read_file

    def read_file(path):
        content = read(path)
        if path.name == "0.ppm" and path.parent.name == "ant" and state["left"]:
            state["left"] -= 1
            change()
        return content

    monkeypatch.setattr(image_files, "read_file", read_file)


@pytest.mark.parametrize("kind", ["content", "new file", "removed file"])
def test_folder_that_changes_while_it_is_read_is_read_again(root, kind, monkeypatch, tmp_path):
    write_image(root / "ant" / "2.ppm", 2)
    before = fingerprint(root)
    changes = {
        "content": lambda: write_in_place(root / "ant" / "0.ppm"),
        "new file": lambda: write_image(root / "bee" / "new.ppm"),
        "removed file": lambda: (root / "ant" / "0.ppm").unlink(missing_ok=True),
    }
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "second"))
    with monkeypatch.context() as patch:
        change_once(patch, changes[kind])
        during = fingerprint(root)
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "third"))
    assert before != during == fingerprint(root)


def test_folder_that_does_not_stop_changing_is_refused(root, monkeypatch, cache):
    numbers = iter(range(100))
    change_once(monkeypatch, lambda: write_image(root / "bee" / "1.ppm", next(numbers)), times=100)
    with pytest.raises(HarnessError, match="changes while it is read") as caught:
        describe(root)
    assert str(root / "bee" / "1.ppm") in caught.value.where
    assert not (cache / "facts").exists()


def test_images_that_change_between_fingerprint_and_decoding_are_refused(root, monkeypatch, cache):
    spec = describe(root)[1]
    change_once(monkeypatch, lambda: write_in_place(root / "bee" / "1.ppm"), times=1)
    with pytest.raises(HarnessError, match="has the fingerprint"):
        load_splits(spec)
    assert not list((cache / "decoded").glob("*.pack"))


def test_files_below_another_root_have_facts_of_their_own(tmp_path):
    root = write_tree(tmp_path / "root", "train/ant", "train/bee")
    inner = fingerprint(root / "train")
    assert fingerprint(root) != inner
    assert fingerprint(root / "train") == inner


def test_files_in_another_layout_have_facts_of_their_own(tmp_path):
    root = write_tree(tmp_path / "root", "train/ant", "train/bee", "val/ant", "val/bee")
    splits, classes = describe(root)[0], describe(root, layout="classes")[0]
    assert (splits.class_names, splits.train, splits.test) == (("ant", "bee"), 4, 4)
    assert (classes.class_names, classes.train, classes.test) == (("train", "val"), 4, 4)
    assert splits.fingerprint != classes.fingerprint
    assert describe(root)[0] == splits
