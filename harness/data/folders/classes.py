"""The class folders of a folder of images: their names, which become labels, and the images in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.data.folders.entries import (
    is_dead_link,
    is_directory,
    is_image,
    is_regular_file,
    join_names,
    list_visible,
    printable_name,
)
from harness.data.folders.layout import Layout, SplitName, has_images
from harness.data.folders.walk import CIRCLE, DEAD_LINK, OUTSIDE, Findings, directories_above, file_id, list_images
from harness.errors import HarnessError

LAYOUTS = "Lay it out as ROOT/<class>/<image>, or ROOT/train/<class>/<image> and ROOT/val/<class>/<image>."

LabelledFile = tuple[Path, int]


def choose_test_split(layout: Layout, wanted: Sequence[SplitName]) -> tuple[Path | None, list[str]]:
    """Return the directory of the first wanted split that has directories in it, and notes on what is not used."""
    candidates = [layout.splits[split] for split in wanted if split in layout.splits]
    with_classes = [folder for folder in candidates if any(map(is_directory, list_visible(folder)))]
    chosen = with_classes[0] if with_classes else None
    notes = []
    for folder in candidates:
        if folder not in with_classes:
            notes.append(f"{folder.name}/ is not used, because it has no class folders")
        elif folder != chosen:
            notes.append(f"{folder.name}/ is not used")
    notes += [f"{printable_name(folder.name)}/ is not used" for folder in layout.unused if has_images(folder)]
    return chosen, notes


def require_same_classes(root: Path, train_dir: Path, train: list[str], test_dir: Path, test: list[str]) -> None:
    """Raise where one of two splits lacks a class of the other."""
    lacks = []
    for folder, own, others in ((test_dir, test, train), (train_dir, train, test)):
        missing = sorted(set(others) - set(own))
        if missing:
            lacks.append(f"{folder.name}/ lacks the class{'es' * (len(missing) > 1)} {join_names(missing)}")
    if lacks:
        raise HarnessError(
            ", and ".join(lacks), where=f"{root}, data.root", remedy="Give both splits the same class folders."
        )


def list_classes(folder: Path, found: Findings, least: int = 2) -> list[str]:
    """Return the names of the class folders in a directory, in the order of text.

    Raises:
        HarnessError: There are fewer than ``least``.
    """
    above, classes = directories_above(folder) | directories_above(found.root), []
    found.has_links |= folder.is_symlink()
    for entry in list_visible(folder):
        found.has_links |= entry.is_symlink()
        if is_dead_link(entry):
            found.add(DEAD_LINK, entry.path)
        elif is_directory(entry):
            if entry.is_symlink() and file_id(Path(entry.path)) in above:
                found.add(CIRCLE, entry.path)
            else:
                classes.append(entry.name)
        elif is_regular_file(entry) and is_image(entry):
            found.add(OUTSIDE, entry.path)
    if len(classes) < least:
        raise _too_few_classes(folder, classes, found)
    return classes


def note_stray_images(root: Path, found: Findings) -> None:
    """Count the images directly in a folder of splits, which belong to no class."""
    for entry in list_visible(root):
        if is_regular_file(entry) and is_image(entry):
            found.add(OUTSIDE, entry.path)


def _too_few_classes(folder: Path, classes: list[str], found: Findings) -> HarnessError:
    inner = folder / classes[0] if len(classes) == 1 else None
    remedy = LAYOUTS
    if inner is not None and sum(map(is_directory, list_visible(inner))) > 1:
        remedy = f"If the classes are the folders in {inner}, give --data-root {inner}. Otherwise: {LAYOUTS}"
    return HarnessError(
        f"the directory has {len(classes) or 'no'} class folder{'s' * (len(classes) != 1)}; at least 2 are needed",
        where=f"{folder}, data.root",
        remedy=" ".join([remedy, *(f"{note[0].upper()}{note[1:]}." for note in found.notes())]),
    )


def list_labelled(folder: Path, classes: list[str], found: Findings) -> list[LabelledFile]:
    """Return (file, label) of the images of each class.

    Raises:
        HarnessError: A class has no images.
    """
    above = directories_above(folder) | directories_above(found.root)
    images = [list_images(folder / name, above, found) for name in classes]
    empty = [name for name, files in zip(classes, images, strict=True) if not files]
    if empty:
        plural = len(empty) > 1
        raise HarnessError(
            f"the class folder{'s' * plural} {join_names(empty)} {'have' if plural else 'has'} no images",
            where=f"{folder}, data.root",
            remedy=" ".join(
                [
                    f"Put images into {'them' if plural else 'it'} (.jpg, .png, ...), or move "
                    f"{'them' if plural else 'it'} out of the folder.",
                    *(f"{note[0].upper()}{note[1:]}." for note in found.notes()),
                ]
            ),
        )
    return [(file, label) for label, files in enumerate(images) for file in files]


def are_numbers(names: Iterable[str]) -> bool:
    """Return whether all names are integers without a sign."""
    return all(re.fullmatch("[0-9]{1,18}", name) for name in names)


def first_names(names: Sequence[str]) -> str:
    """Return the first names in a row, with dots for the others."""
    return ", ".join([*names[:4], *["..."] * (len(names) > 4)])
