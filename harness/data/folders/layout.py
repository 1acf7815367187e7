"""The layout of a folder of images: directories of classes, or of splits that each hold the classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.data.folders.entries import is_directory, is_image, is_regular_file, join_names, list_visible
from harness.errors import HarnessError

DeclaredLayout = Literal["classes", "splits"]
SplitName = Literal["train", "val", "test"]
SPLIT_WORDS: Mapping[str, SplitName] = {
    **dict.fromkeys(("train", "training", "trn", "trainset", "trainingset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development", "valset", "validationset", "devset"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "testset", "testingset"), "test"),
}
"""Words in the name of a directory, in lower case, and the split that they stand for."""
HOW_TO_DECLARE = (
    "Declare `layout: classes` or `layout: splits` under `data` (--set data.layout=classes); "
    "evaluate and data pack take --layout"
)


@dataclass(frozen=True)
class Layout:
    """The directories of a folder of images.

    Attributes:
        splits: The directory of each split; empty where the folder's own directories are the classes.
        unused: Directories beside the splits.
    """

    splits: Mapping[SplitName, Path]
    unused: Sequence[Path] = ()


def find_split(name: str) -> SplitName | None:
    """Return the split that the name of a directory stands for, such as ``Training`` or ``seg_test``, or None."""
    found = {SPLIT_WORDS[word] for word in re.split(r"[^a-z0-9]+", name.casefold()) if word in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


def choose_layout(root: Path, declared: DeclaredLayout | None = None) -> Layout:
    """Return the layout of a folder of images, from the names of its directories and from where its images are.

    A directory named like a split that has images of its own and no directories of images is a class, if there are
    other classes. Where the directories allow two readings, the layout must be declared.

    Args:
        root: The folder.
        declared: The layout that the user declares; None to find it.

    Raises:
        HarnessError: The folder can be read in two ways, has two directories for one split, or cannot be read.
    """
    folders = [Path(entry.path) for entry in list_visible(root) if is_directory(entry)]
    named = {folder: split for folder in folders if (split := find_split(folder.name)) is not None}
    if declared == "classes" or (not named and declared is None):
        return Layout({})
    if declared == "splits":
        return _assign_splits(root, folders, named)
    others = [folder for folder in folders if folder not in named and has_images(folder)]
    with_classes = [folder for folder in named if has_class_folders(folder)]
    with_images = [folder for folder in named if has_own_images(folder)]
    if others and not with_classes and len(with_images) == len(named):
        return Layout({})
    if others or (with_images and not with_classes):
        raise _two_readings(root, list(named), others)
    return _assign_splits(root, folders, named)


def _two_readings(root: Path, named: Sequence[Path], others: Sequence[Path]) -> HarnessError:
    names = join_names([folder.name for folder in named])
    plural = len(named) > 1
    beside = f" beside {join_names([folder.name for folder in others])}" if others else " with images but no classes"
    return HarnessError(
        f"the folder has {names}{beside}: {'these names' if plural else 'this name'} may mean "
        f"{'splits or classes' if plural else 'a split or a class'}",
        where=f"{root}, data.root",
        remedy=f"{HOW_TO_DECLARE}. Or move directories that are neither out of the folder.",
    )


def _assign_splits(root: Path, folders: Sequence[Path], named: Mapping[Path, SplitName]) -> Layout:
    if not named:
        raise HarnessError(
            "the layout is declared as splits, and no directory here is named like a split",
            where=f"{root}, data.root",
            remedy="Name the directories train and val or test, or declare the layout as classes.",
        )
    splits: dict[SplitName, Path] = {}
    for folder, split in named.items():
        if split in splits:
            raise HarnessError(
                f"'{splits[split].name}' and '{folder.name}' are both names of the {split} split",
                where=f"{root}, data.root",
                remedy=f"Rename one of them, or move it out of the folder. If they are classes: {HOW_TO_DECLARE}.",
            )
        splits[split] = folder
    return Layout(splits, [folder for folder in folders if folder not in named])


def has_own_images(folder: Path) -> bool:
    """Return whether a directory has images, without those of the directories below it."""
    return any(is_regular_file(entry) and is_image(entry) for entry in list_visible(folder))


def has_class_folders(folder: Path) -> bool:
    """Return whether a directory has directories with images in it."""
    return any(is_directory(entry) and has_images(Path(entry.path)) for entry in list_visible(folder))


def has_images(folder: Path) -> bool:
    """Return whether there is an image in a directory or below it; links to directories below it are not followed."""
    below = []
    for entry in list_visible(folder):
        if is_regular_file(entry) and is_image(entry):
            return True
        if is_directory(entry) and not entry.is_symlink():
            below.append(Path(entry.path))
    return any(has_images(path) for path in below)
