"""Image folders are decoded once per machine; the copy is what the files are."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from harness.data.decode_cache import decoded_file
from harness.data.description import describe_data
from harness.data.loader import ImageStream, load_splits
from harness.io.user_cache import cache_dir
from harness.specs import DataSpec


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of one's own, and nothing kept in this process."""
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    load_splits.cache_clear()
    yield tmp_path / "cache"
    load_splits.cache_clear()


@pytest.fixture
def spec(image_folder):
    return describe_data(DataSpec(name="imagefolder", root=str(image_folder()), image_size=12, val_fraction=0.2))[1]


def copies():
    return list((cache_dir() / "decoded").glob("*.pack"))


def anew(spec):
    load_splits.cache_clear()
    splits = load_splits(spec)
    return [getattr(splits, part) for part in ("train", "val", "test")]


def same(one, other):
    return all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) for a, b in zip(one, other, strict=True)
    )


def test_who_comes_next_reads_what_was_decoded(spec, monkeypatch):
    first = anew(spec)
    assert len(copies()) == 1
    monkeypatch.setattr("harness.data.decode_cache.decode", lambda *_: pytest.fail("decoded again"))
    assert same(anew(spec), first)
    assert decoded_file(spec, "crop-flip") == copies()[0]


def test_another_size_and_other_images_have_a_copy_of_their_own(spec):
    load_splits(spec)
    load_splits(spec.model_copy(update={"image_size": 16}))
    assert len(copies()) == 2
    path = next(Path(spec.root).rglob("*.png"))
    Image.new("RGB", (12, 12), "red").save(path)
    _, changed = describe_data(spec.model_copy(update={"fingerprint": None}))
    red = torch.cat([part.images for part in anew(changed)])
    assert len(copies()) == 3
    assert any(torch.equal(image[0], torch.full((12, 12), 255, dtype=torch.uint8)) for image in red)


def test_a_damaged_copy_is_put_aside(spec):
    first = anew(spec)
    (copy,) = copies()
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    assert same(anew(spec), first)
    assert not copies()
    assert same(anew(spec), first)
    assert len(copies()) == 1


def test_a_cache_that_cannot_be_written_to_costs_time_alone(spec, cache):
    first = anew(spec)
    (copy,) = copies()
    copy.unlink()
    for file in (cache / "decoded").iterdir():
        file.unlink()
    (cache / "decoded").rmdir()
    (cache / "decoded").write_text("no directory")
    assert same(anew(spec), first)


def test_a_cache_that_cannot_be_written_to_needs_no_validation_split(image_folder, cache):
    cache.write_text("in its way")
    spec = describe_data(DataSpec(name="imagefolder", root=str(image_folder()), image_size=12))[1]
    load_splits.cache_clear()
    splits = load_splits(spec)
    assert len(splits.val) == 0 < len(splits.train)


def test_what_is_streamed_has_no_copy(spec, monkeypatch):
    assert isinstance(load_splits(spec, "resized-crop-flip").train, ImageStream)
    monkeypatch.setattr("harness.data.decode_cache.MEMORY_LIMIT", 1000)
    assert isinstance(anew(spec)[0], ImageStream)
    assert not copies()
