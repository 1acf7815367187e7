"""Data sets: fingerprints, stratified splits, batches that do not depend on the trial's variant."""

import gzip
import os
import pickle

import numpy as np
import pytest
import torch

from harness.data.augment import AugmentationDraws
from harness.data.description import describe_data, split_indices, steps_per_epoch
from harness.data.image_files import ImageFiles, read_rgb, stream
from harness.data.loader import BatchLoader, load_splits, split_into_batches
from harness.data.registry import DEBIAN_FASHION_MNIST
from harness.errors import HarnessError
from harness.specs import DataSpec, Recipe

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=1, batch=32, lr=0.1, augment="crop-flip", crop_padding=1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    load_splits.cache_clear()


def _batches(spec, name="train"):
    _, spec = describe_data(spec)
    splits = load_splits(spec)
    return BatchLoader(getattr(splits, name), splits, torch.contiguous_format, CPU)


def test_digits_are_the_real_ones():
    info, spec = describe_data(DataSpec(name="digits"))
    assert (info.train, info.val, info.test) == (1437, 0, 360)
    assert (info.channels, info.size, info.classes) == (1, (8, 8), 10)
    assert info.fingerprint == spec.fingerprint == "4762797d5258adf1"
    assert info.chance_error == 90


def test_the_cached_description_is_the_same():
    assert describe_data(DataSpec(name="digits")) == describe_data(DataSpec(name="digits"))


@pytest.mark.skipif(not DEBIAN_FASHION_MNIST.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_from_debian_s_package():
    info, spec = describe_data(DataSpec(name="fashion-mnist", train_images=500))
    assert (info.train, info.test, info.size) == (500, 10_000, (28, 28))
    splits = load_splits(spec)
    assert torch.bincount(splits.train.labels).tolist() == [50] * 10


def test_cifar_from_torchvision_s_files(tmp_path, monkeypatch):
    """Tiny files of the real on-disk format; torchvision's check of the real files' MD5 is put aside."""
    from torchvision.datasets import CIFAR10

    rng = np.random.default_rng(0)
    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        content = {"data": rng.integers(0, 256, (20, 3072), dtype=np.uint8), "labels": list(range(10)) * 2}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    info, spec = describe_data(DataSpec(name="cifar10", root=str(tmp_path)))
    assert (info.train, info.test, info.channels, info.size) == (100, 20, 3, (32, 32))
    assert load_splits(spec).train.images.shape == (100, 3, 32, 32)


def test_a_split_is_drawn_once_and_a_damaged_one_again(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path))
    spec, labels = DataSpec(name="digits", val_fraction=0.1), np.arange(200) % 10
    first = split_indices(spec, labels, has_test=False)
    with monkeypatch.context() as patched:
        patched.setattr("harness.data.description._drawn", lambda *_: pytest.fail("drawn again"))
        kept = split_indices(spec, labels, has_test=False)
    (file,) = (tmp_path / "splits").iterdir()
    other = split_indices(spec, labels[::-1], has_test=False)
    file.write_bytes(file.read_bytes()[:-20])
    again = split_indices(spec, labels, has_test=False)
    assert all(np.array_equal(a, b) and np.array_equal(a, c) for a, b, c in zip(first, kept, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_splits_are_stratified_disjoint_and_their_own_seed_s():
    labels = np.repeat(np.arange(4), 50)
    spec = DataSpec(name="digits", test_fraction=0.2, val_fraction=0.25)
    train, val, test = split_indices(spec, labels, has_test=False)
    assert sorted([*train, *val, *test]) == list(range(200))
    assert [np.bincount(labels[part]).tolist() for part in (train, val, test)] == [[30] * 4, [10] * 4, [10] * 4]
    other = split_indices(spec.model_copy(update={"split_seed": 1}), labels, has_test=False)
    assert not np.array_equal(other[0], train)
    assert len(split_indices(spec, labels, has_test=True)[2]) == 0


def test_batches_are_normalised_and_follow_seed_and_epoch():
    batches = _batches(DataSpec(name="digits"))
    everything = torch.cat([images for images, _ in batches.in_order()])
    assert everything.mean().item() == pytest.approx(0, abs=1e-5)
    assert everything.std().item() == pytest.approx(1, abs=1e-3)

    def labels(seed, epoch):
        return torch.cat([y for _, y in batches.epoch(RECIPE, seed, epoch)])

    assert torch.equal(labels(1, 1), labels(1, 1))
    assert not torch.equal(labels(1, 1), labels(1, 2))
    assert not torch.equal(labels(1, 1), labels(2, 1))


def test_augmentation_changes_no_other_stream():
    """The order of batches is the same with and without it."""
    batches = _batches(DataSpec(name="digits"))
    plain = RECIPE.model_copy(update={"augment": "none"})
    with_it, without = (torch.cat([y for _, y in batches.epoch(recipe, 1, 1)]) for recipe in (RECIPE, plain))
    assert torch.equal(with_it, without)


def test_crops_and_flips_against_one_image_at_a_time():
    images = torch.arange(3 * 2 * 4 * 5, dtype=torch.uint8).view(3, 2, 4, 5)
    draws = AugmentationDraws(torch.tensor([[0, 0], [2, 1], [1, 1]]), torch.tensor([False, True, True]), padding=1)
    out = draws.apply(images, torch.arange(3))
    padded = torch.nn.functional.pad(images, [1] * 4)
    for n, ((top, left), flip) in enumerate(zip(draws.offsets.tolist(), draws.flips.tolist(), strict=True)):
        crop = padded[n, :, top : top + 4, left : left + 5]
        assert torch.equal(out[n], crop.flip(-1) if flip else crop)


def test_draws_belong_to_the_image_and_not_to_its_place_in_a_batch():
    draws = AugmentationDraws.of_epoch(RECIPE, 10, seed=1, epoch=1, device=CPU)
    images = torch.randint(0, 255, (10, 1, 8, 8), dtype=torch.uint8)
    whole = draws.apply(images, torch.arange(10))
    part = draws.apply(images[4:7], torch.arange(4, 7))
    assert torch.equal(whole[4:7], part)


@pytest.mark.parametrize(("images", "batch", "steps"), [(10, 5, 2), (11, 5, 2), (12, 5, 3), (5, 5, 1), (3, 5, 1)])
def test_a_single_left_over_image_is_dropped(images, batch, steps):
    parts = split_into_batches(torch.arange(images), batch)
    assert len(parts) == steps == steps_per_epoch(images, batch)
    assert all(len(part) > 1 for part in parts)


def test_an_image_folder(image_folder):
    info, spec = describe_data(DataSpec(name="imagefolder", root=str(image_folder()), image_size=12))
    assert (info.classes, info.channels, info.size, info.train, info.test) == (3, 3, (12, 12), 57, 15)
    assert load_splits(spec).train.images.shape == (57, 3, 12, 12)


def test_streamed_and_resident_images_are_the_same(image_folder, monkeypatch):
    _, spec = describe_data(DataSpec(name="imagefolder", root=str(image_folder()), image_size=12))
    resident = [
        x
        for x, _ in BatchLoader(load_splits(spec).train, load_splits(spec), torch.contiguous_format, CPU).epoch(
            RECIPE, 1, 1
        )
    ]
    load_splits.cache_clear()
    monkeypatch.setattr("harness.data.decode_cache.MEMORY_LIMIT", 0)
    splits = load_splits(spec)
    streamed = [x for x, _ in BatchLoader(splits.train, splits, torch.contiguous_format, CPU).epoch(RECIPE, 1, 1)]
    assert all(torch.equal(a, b) for a, b in zip(resident, streamed, strict=True))


def test_random_resized_crops_do_not_depend_on_the_number_of_loaders(image_folder):
    root = image_folder(classes=2, each=4)
    files = [(path, 0) for path in sorted(root.rglob("*.png"))]
    images = ImageFiles(files, 8, crop_seed=5)
    state = torch.random.get_rng_state()
    alone, helped = (torch.cat([x for x, _, _ in stream(images, [torch.arange(8)], n, CPU)]) for n in (0, 1))
    assert torch.equal(alone, helped)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_fingerprint_is_the_content_s(image_folder):
    first, second = (image_folder(name=name) for name in ("a", "b"))
    prints = [describe_data(DataSpec(name="imagefolder", root=str(root)))[0].fingerprint for root in (first, second)]
    assert prints[0] == prints[1]
    changed = next(second.rglob("*.png"))
    changed.write_bytes(next(first.glob("digit-2/*.png")).read_bytes())
    os.utime(changed, ns=(1, 1))
    assert describe_data(DataSpec(name="imagefolder", root=str(second)))[0].fingerprint != prints[0]


def test_refusals(image_folder, tmp_path):
    def refused(spec, match):
        with pytest.raises(HarnessError, match=match):
            describe_data(spec)

    refused(DataSpec(name="digitz"), "Did you mean 'digits'")
    refused(DataSpec(name="digits", fingerprint="0" * 16), "declares 0000")
    refused(DataSpec(name="digits", train_images=5000), "5000 training images")
    refused(DataSpec(name="digits", image_size=9), "size of its own")
    refused(DataSpec(name="imagefolder"), "needs its directory")
    refused(DataSpec(name="imagefolder", root=str(tmp_path / "nowhere")), "no such directory")
    refused(DataSpec(name="cifar10", root=str(tmp_path)), "not at hand")
    refused(DataSpec(name="imagefolder", root=str(image_folder(classes=1, name="one"))), "1 class folder;")
    root = image_folder(name="broken")
    (root / "digit-0" / "000.png").write_bytes(b"no image")
    refused(DataSpec(name="imagefolder", root=str(root)), "not a readable image")
    (root / "empty").mkdir()
    refused(DataSpec(name="imagefolder", root=str(root)), "'empty' holds no images")


def test_idx_files_may_be_gzipped_or_not(tmp_path):
    from harness.data.registry import _read_idx

    content = b"\0\0\x08\x02" + (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes(range(6))
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    for name in ("a", "a.gz"):
        assert _read_idx(tmp_path / name).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_odd_images_become_upright_eight_bit_rgb(tmp_path):
    from PIL import Image

    deep = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    levels = np.asarray(read_rgb(tmp_path / "deep.png"))
    assert (levels.min(), levels.max()) == (0, 255)
    assert 120 < levels.mean() < 135
    Image.fromarray(np.full((4, 6, 4), 9, np.uint8)).save(tmp_path / "clear.png")
    assert read_rgb(tmp_path / "clear.png").mode == "RGB"
    turned = Image.new("RGB", (4, 6))
    turned.save(tmp_path / "turned.jpg", exif=(exif := Image.Exif()))
    exif[274] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert read_rgb(tmp_path / "turned.jpg").size == (6, 4)


def test_a_truncated_image_is_named_before_anything_trains(image_folder):
    from PIL import Image

    root = image_folder(name="cut")
    path = root / "digit-1" / "cut.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(HarnessError, match="not a readable image") as caught:
        describe_data(DataSpec(name="imagefolder", root=str(root)))
    assert caught.value.where == str(path)


def test_both_parts_of_a_folder_have_the_same_classes(image_folder):
    root = image_folder(name="parts/train").parent
    image_folder(classes=4, name="parts/val")
    with pytest.raises(HarnessError, match="holds the class 'digit-3'"):
        describe_data(DataSpec(name="imagefolder", root=str(root)))
