"""Image folders: a directory for each class, with the images of that class in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.data.folders.classes import (
    LabelledFile,
    are_numbers,
    choose_test_split,
    first_names,
    list_classes,
    list_labelled,
    note_stray_images,
    require_same_classes,
)
from harness.data.folders.entries import join_names
from harness.data.folders.layout import DeclaredLayout, choose_layout
from harness.data.folders.walk import Findings
from harness.errors import HarnessError

DEFAULT_IMAGE_SIZE = 64
"""Side in pixels that images are resized to where the experiment declares none."""


@dataclass(frozen=True)
class ImageFolder:
    """The files of an image folder.

    Attributes:
        classes: The names of the class folders, in the order of their labels.
        train: (file, label) of each training image.
        test: (file, label) of each test image; None where the folder has no test split of its own.
        split_notes: Which directory has the test images, and which are not used; one line each.
        notes: What is left out, and other things that the user should know; one line each.
    """

    classes: list[str]
    train: list[LabelledFile]
    test: list[LabelledFile] | None
    split_notes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> list[LabelledFile]:
        """(file, label) of all images, first those for training."""
        return [*self.train, *(self.test or ())]

    @property
    def files(self) -> list[Path]:
        """The files of all images, in the same order."""
        return [path for path, _ in self.images]


def scan_image_folder(root: Path, layout: DeclaredLayout | None = None) -> ImageFolder:
    """List the files of ``root/<class>/<image>``, or of ``root/train/<class>/<image>`` with ``root/test`` or ``val``.

    Hidden entries are skipped; other spellings of the splits are recognised: see :mod:`harness.data.folders`.

    Args:
        root: The folder.
        layout: The layout that the user declares; None to find it.

    Raises:
        HarnessError: The layout can be read in two ways, there are fewer than two classes, a class has no images, or a
            split lacks a class that another one has.
    """
    found = Findings(root)
    chosen = choose_layout(root, layout)
    if not chosen.splits:
        classes = list_classes(root, found)
        return _finish(found, classes, list_labelled(root, classes, found), None, [])
    if "train" not in chosen.splits:
        names = join_names([folder.name for folder in chosen.splits.values()])
        raise HarnessError(
            f"the folder has {names}, which are names of splits, and no train split",
            where=f"{root}, data.root",
            remedy="Add train/<class>/<image>. If these names are classes, declare the layout: "
            "--set data.layout=classes (harness data pack: --layout classes).",
        )
    note_stray_images(root, found)
    train_dir = chosen.splits["train"]
    test_dir, notes = choose_test_split(chosen, ("test", "val"))
    classes = list_classes(train_dir, found)
    if test_dir is None:
        return _finish(found, classes, list_labelled(train_dir, classes, found), None, notes)
    require_same_classes(root, train_dir, classes, test_dir, list_classes(test_dir, found, least=0))
    train, test = (list_labelled(folder, classes, found) for folder in (train_dir, test_dir))
    return _finish(found, classes, train, test, [f"the test images are those of {test_dir.name}/", *notes])


def _finish(
    found: Findings,
    classes: list[str],
    train: list[LabelledFile],
    test: list[LabelledFile] | None,
    split_notes: list[str],
) -> ImageFolder:
    """Return the scanned folder with all notes."""
    order: list[str] = []
    found.count_same_files(path for path, _ in [*train, *(test or ())])
    if are_numbers(classes) and sorted(classes, key=int) != classes:
        order = [f"the classes are in the order of their names as text: {first_names(classes)}"]
    return ImageFolder(classes, train, test, tuple(split_notes), (*order, *found.notes()))
