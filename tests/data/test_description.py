import os

import pytest

from harness.data.description import describe_data
from harness.errors import HarnessError
from harness.specs import DataSpec


def imagefolder(root, **fields):
    return DataSpec(name="imagefolder", root=str(root), **fields)


def test_describe_data_from_the_cache_equals_the_first_description(cache):
    first = describe_data(DataSpec(name="digits"))
    assert list((cache / "facts").iterdir())
    assert describe_data(DataSpec(name="digits")) == first


def test_describe_data_of_an_image_folder_counts_its_classes_and_images(image_folder):
    info, _ = describe_data(imagefolder(image_folder(), image_size=12))
    assert (info.classes, info.channels, info.size, info.train, info.test) == (3, 3, (12, 12), 57, 15)


def test_fingerprint_of_an_image_folder_depends_on_its_files_and_not_on_its_root(image_folder):
    first, second = (image_folder(name=name) for name in ("a", "b"))
    fingerprints = [describe_data(imagefolder(root))[0].fingerprint for root in (first, second)]
    assert fingerprints[0] == fingerprints[1]
    changed = next(second.rglob("*.png"))
    changed.write_bytes(next(first.glob("digit-2/*.png")).read_bytes())
    os.utime(changed, ns=(1, 1))
    assert describe_data(imagefolder(second))[0].fingerprint != fingerprints[0]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": "digitz"}, "Did you mean 'digits'"),
        ({"name": "digits", "fingerprint": "0" * 16}, "declares 0000"),
        ({"name": "digits", "train_images": 5000}, "5000 training images"),
        ({"name": "digits", "image_size": 9}, "have a fixed size"),
        ({"name": "digits", "layout": "splits"}, "has no directories of classes"),
        ({"name": "imagefolder"}, "needs its directory"),
        ({"name": "imagefolder", "root": "nowhere"}, "does not exist"),
        ({"name": "imagefolder", "root": "x" * 5000}, "cannot be used as a path: File name too long"),
        ({"name": "cifar10", "root": "."}, "were not found in"),
    ],
)
def test_describe_data_refuses_a_spec_that_the_data_does_not_fit(fields, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match=error):
        describe_data(DataSpec(**fields))
