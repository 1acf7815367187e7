"""Folders whose directories are classes, or splits in the spellings that people use, or may be both."""

import pytest
from image_trees import write_image, write_tree

from harness.data.folders.evaluation import list_evaluation_images
from harness.data.folders.layout import find_split
from harness.data.image_folders import scan_image_folder
from harness.errors import HarnessError

CLASSES = ("ant", "bee")


def write_splits(root, *splits):
    """Write two classes of two images into each split; return the root."""
    return write_tree(root, *(f"{split}/{name}" for split in splits for name in CLASSES))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "Train", "TRAIN", "training", "Training", "trn", "train_set",
                                       "training-set", "trainset", "train_images", "seg_train", "imagenet.train")),
        *((name, "val") for name in ("val", "VAL", "valid", "Valid", "validation", "Validation", "dev", "val_set")),
        *((name, "test") for name in ("test", "Test", "testing", "Testing", "test_set", "testset", "test1 test")),
        *((name, None) for name in ("trainer", "contest", "tests1", "validity", "device", "bus", "train_val",
                                    "evaluate", "testimony", "")),
    ],
)  # fmt: skip
def test_find_split_knows_the_spellings_of_people_and_no_other_words(name, split):
    assert find_split(name) == split


@pytest.mark.parametrize(
    ("splits", "test_dir", "unused"),
    [
        (("train", "val"), "val", []),
        (("train", "test"), "test", []),
        (("train", "val", "test"), "test", ["val"]),
        (("Training", "Testing"), "Testing", []),
        (("TRAIN", "VALID", "TEST"), "TEST", ["VALID"]),
        (("training_set", "test_set"), "test_set", []),
        (("train", "validation"), "validation", []),
        (("train", "dev"), "dev", []),
        (("seg_train", "seg_test"), "seg_test", []),
    ],
)
def test_splits_are_recognised_and_the_unused_one_is_said(tmp_path, splits, test_dir, unused):
    root = write_splits(tmp_path, *splits)
    folder = scan_image_folder(root)
    assert folder.classes == list(CLASSES)
    assert {path.parts[-3] for path, _ in folder.train} == {splits[0]}
    assert {path.parts[-3] for path, _ in folder.test} == {test_dir}
    notes = [f"the test images are those of {test_dir}/", *(f"{name}/ is not used" for name in unused)]
    assert list(folder.split_notes) == notes


def test_train_split_alone_is_divided(tmp_path):
    folder = scan_image_folder(write_splits(tmp_path, "train"))
    assert (folder.classes, len(folder.train), folder.test) == (list(CLASSES), 4, None)


@pytest.mark.parametrize("names", [("bus", "car", "train"), ("bus", "test", "train", "val"), ("dev", "prod"),
                                   ("invalid", "valid"), ("control", "Test"), ("bus", "bullet_train")])  # fmt: skip
def test_classes_named_like_splits_are_classes(tmp_path, names):
    folder = scan_image_folder(write_tree(tmp_path, *names))
    assert (folder.classes, folder.test, len(folder.train)) == (sorted(names), None, 2 * len(names))


AMBIGUOUS = [
    ["bus", "car", "train/red", "train/blue"],
    ["bus/day", "car/day", "train/day"],
    ["train/ant", "train/bee", "val/ant", "val/bee", "unlabelled"],
    ["bus", "car", "test/bus", "test/car"],
    ["bus", "train", "train/red", "train/blue"],
    ["train", "test"],
    ["Train", "Val", "Test"],
    ["valid/day", "valid/night", "invalid/day", "invalid/night"],
]


@pytest.mark.parametrize("tree", AMBIGUOUS)
def test_layout_that_can_be_read_in_two_ways_is_refused_with_the_remedy(tmp_path, tree):
    root = write_tree(tmp_path, *tree)
    with pytest.raises(HarnessError, match=r"may mean (a split or a class|splits or classes)") as caught:
        scan_image_folder(root)
    assert "--set data.layout=classes" in caught.value.remedy and "--layout" in caught.value.remedy
    declared = scan_image_folder(root, "classes")
    assert declared.classes == sorted({name.split("/")[0] for name in tree})
    assert len(declared.train) == 2 * len(tree)


def test_declared_splits_leave_other_directories_out_and_say_so(tmp_path):
    root = write_tree(write_splits(tmp_path, "train", "val"), "unlabelled", "texts/empty", each=1)
    folder = scan_image_folder(root, "splits")
    assert (folder.classes, len(folder.train), len(folder.test)) == (list(CLASSES), 4, 4)
    assert folder.split_notes == (
        "the test images are those of val/", "texts/ is not used", "unlabelled/ is not used"
    )  # fmt: skip


def test_directories_without_images_beside_splits_are_no_classes(tmp_path):
    root = write_splits(tmp_path, "train", "val")
    (root / "annotations").mkdir()
    (root / "annotations" / "all.json").touch()
    assert scan_image_folder(root).classes == list(CLASSES)


def test_test_split_without_labels_is_not_used_and_said(tmp_path):
    root = write_splits(tmp_path, "train", "val")
    for number in range(3):
        write_image(root / "test" / f"{number}.ppm")
    folder = scan_image_folder(root)
    assert {path.parts[-3] for path, _ in folder.test} == {"val"}
    assert folder.split_notes == (
        "the test images are those of val/", "test/ is not used, because it has no class folders"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tree", "layout", "message"),
    [
        (["train/ant", "train/bee", "Train/ant", "Train/bee"], None, "both names of the train split"),
        (["train/a", "train/b", "val/a", "val/b", "valid/a", "valid/b"], None, "'val' and 'valid' are both names"),
        (["val/a", "val/b", "test/a", "test/b"], None, "no train split"),
        (["val/a", "val/b"], None, "no train split"),
        (["a", "b"], "splits", "no directory here is named like a split"),
        (["bus", "car", "train", "test"], "splits", "has no class folders"),
    ],
)
def test_splits_that_do_not_fit_are_refused(tmp_path, tree, layout, message):
    with pytest.raises(HarnessError, match=message):
        scan_image_folder(write_tree(tmp_path, *tree), layout)


@pytest.mark.parametrize(
    ("splits", "used", "notes"),
    [
        (("val",), "val", ()),
        (("Validation",), "Validation", ()),
        (("testing",), "testing", ()),
        (("train", "val", "test"), "val", ("the images are those of val/", "test/ is not used")),
        (("Training", "Testing"), "Testing", ("the images are those of Testing/",)),
    ],
)
def test_evaluation_uses_the_validation_split_and_says_which(tmp_path, splits, used, notes):
    images = list_evaluation_images(write_splits(tmp_path, *splits))
    assert images.classes == list(CLASSES)
    assert {path.parts[-3] for path, _ in images.files} == {used}
    assert images.notes == notes


def test_evaluation_of_a_split_that_lacks_a_class_of_the_training_split_names_it(tmp_path):
    with pytest.raises(HarnessError, match="val/ lacks the class 'bee'"):
        list_evaluation_images(write_tree(tmp_path, "train/ant", "train/bee", "train/cat", "val/ant", "val/cat"))


def test_evaluation_of_a_training_split_alone_asks_for_its_directory(tmp_path):
    with pytest.raises(HarnessError, match=f"Give --data-root {tmp_path}/train"):
        list_evaluation_images(write_splits(tmp_path, "train"))


def test_evaluation_of_classes_named_like_splits_needs_the_layout(tmp_path):
    root = write_tree(tmp_path, "val/day", "val/night", "dev_kit", "car")
    with pytest.raises(HarnessError, match="may mean"):
        list_evaluation_images(root)
    assert list_evaluation_images(root, "classes").classes == ["car", "dev_kit", "val"]


NUMBERS = [str(number) for number in range(11)]


@pytest.mark.parametrize(
    ("names", "order", "classes"),
    [
        (NUMBERS, "name", ["0", "1", "10", *NUMBERS[2:10]]),
        (NUMBERS, "number", NUMBERS),
        (["00", "01", "10"], None, ["00", "01", "10"]),
        (["7", "8", "9"], None, ["7", "8", "9"]),
        (["9", "10"], "number", ["9", "10"]),
        (["9", "10x"], None, ["10x", "9"]),
        (["-1", "0", "10", "9"], None, ["-1", "0", "10", "9"]),
    ],
)
def test_order_of_labels_is_the_declared_one(tmp_path, names, order, classes):
    images = list_evaluation_images(write_tree(tmp_path, *names, each=1), order=order)
    assert images.classes == classes
    assert [path.parent.name for path, _ in images.files] == classes
    assert [label for _, label in images.files] == list(range(len(classes)))


@pytest.mark.parametrize(
    ("names", "order", "message"),
    [
        (NUMBERS, None, r"0, 1, 10, 2, \.\.\. against 0, 1, 2, 3, \.\.\."),
        (["9", "10"], None, "10, 9 against 9, 10"),
        (["ant", "1"], "number", "not all of their names are integers"),
    ],
)
def test_order_of_labels_that_is_not_clear_is_refused(tmp_path, names, order, message):
    with pytest.raises(HarnessError, match=message) as caught:
        list_evaluation_images(write_tree(tmp_path, *names, each=1), order=order)
    assert "--order" in caught.value.where and "--order name" in caught.value.remedy
