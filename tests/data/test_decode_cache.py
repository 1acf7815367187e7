"""Image folders are decoded once per machine, and the decoded copy equals the files."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from harness.data.decode_cache import find_or_decode
from harness.data.description import describe_data
from harness.data.splits import ImageStream, load_splits
from harness.specs import DataSpec


@pytest.fixture
def spec(image_folder):
    return describe_data(DataSpec(name="imagefolder", root=str(image_folder()), image_size=12, val_fraction=0.2))[1]


@pytest.fixture
def copies(cache):
    """A function that lists the decoded copies in the cache."""
    return lambda: list((cache / "decoded").glob("*.pack"))


def load(spec):
    """Return the splits as a new process loads them."""
    load_splits.cache_clear()
    splits = load_splits(spec)
    return splits.train, splits.val, splits.test


def are_equal(splits, others):
    return all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) for a, b in zip(splits, others, strict=True)
    )


def test_second_process_reads_the_decoded_copy(spec, copies, monkeypatch):
    first = load(spec)
    assert len(copies()) == 1
    monkeypatch.setattr("harness.data.decode_cache.decode_images", lambda *_: pytest.fail("decoded again"))
    assert are_equal(load(spec), first)
    assert find_or_decode(spec, "crop-flip") == copies()[0]


def test_another_image_size_has_a_copy_of_its_own(spec, copies):
    load_splits(spec)
    load_splits(spec.model_copy(update={"image_size": 16}))
    assert len(copies()) == 2


def test_changed_images_have_a_copy_of_their_own(spec, copies):
    load_splits(spec)
    path = next(Path(spec.root).rglob("*.png"))
    Image.new("RGB", (12, 12), "red").save(path)
    os.utime(path, ns=(1, 1))
    _, changed = describe_data(spec.model_copy(update={"fingerprint": None}))
    red = torch.cat([split.images for split in load(changed)])
    assert len(copies()) == 2
    assert any(torch.equal(image[0], torch.full((12, 12), 255, dtype=torch.uint8)) for image in red)


def test_damaged_copy_is_deleted_and_made_again(spec, copies):
    first = load(spec)
    (copy,) = copies()
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    assert are_equal(load(spec), first)
    assert not copies()
    assert are_equal(load(spec), first)
    assert len(copies()) == 1


def test_images_are_the_same_where_the_cache_is_not_writable(spec, copies, cache):
    first = load(spec)
    for file in (cache / "decoded").iterdir():
        file.unlink()
    (cache / "decoded").rmdir()
    (cache / "decoded").write_text("no directory")
    assert are_equal(load(spec), first)


def test_images_without_a_validation_split_load_where_the_cache_is_not_writable(image_folder, cache):
    cache.mkdir()
    for name in ("decoded", "facts", "splits"):
        (cache / name).write_text("no directory")
    spec = describe_data(DataSpec(name="imagefolder", root=str(image_folder()), image_size=12))[1]
    train, val, _ = load(spec)
    assert len(val) == 0 < len(train)


def test_random_resized_crops_are_streamed_without_a_copy(spec, copies):
    assert isinstance(load_splits(spec, "resized-crop-flip").train, ImageStream)
    assert not copies()


def test_images_that_exceed_the_memory_limit_are_streamed_without_a_copy(spec, copies, monkeypatch):
    monkeypatch.setattr("harness.data.decode_cache.MEMORY_LIMIT", 1000)
    assert isinstance(load(spec)[0], ImageStream)
    assert not copies()
