import pytest

from harness.data.description import describe_data
from harness.data.image_folders import list_evaluation_images, scan_image_folder
from harness.errors import HarnessError
from harness.specs import DataSpec


def test_scan_image_folder_with_train_and_val_gives_both_splits(image_folder):
    root = image_folder(classes=2, each=3, name="splits/train").parent
    image_folder(classes=2, each=1, name="splits/val")
    folder = scan_image_folder(root)
    assert (folder.classes, len(folder.train), len(folder.test)) == (["digit-0", "digit-1"], 6, 2)
    assert list_evaluation_images(root) == (folder.classes, folder.test)


def test_scan_image_folder_refuses_a_single_class(image_folder):
    with pytest.raises(HarnessError, match="1 class folder;"):
        scan_image_folder(image_folder(classes=1))


def test_scan_image_folder_refuses_a_class_without_images(image_folder):
    root = image_folder()
    (root / "empty").mkdir()
    with pytest.raises(HarnessError, match="'empty' has no images"):
        scan_image_folder(root)


def test_scan_image_folder_refuses_a_class_that_only_the_test_split_has(image_folder):
    root = image_folder(name="splits/train").parent
    image_folder(classes=4, name="splits/val")
    with pytest.raises(HarnessError, match="has the class 'digit-3'"):
        scan_image_folder(root)


def test_damaged_image_is_refused_when_the_folder_is_described(image_folder):
    root = image_folder()
    damaged = root / "digit-0" / "000.png"
    damaged.write_bytes(b"no image")
    with pytest.raises(HarnessError, match="not a readable image") as caught:
        describe_data(DataSpec(name="imagefolder", root=str(root)))
    assert caught.value.where == str(damaged)
