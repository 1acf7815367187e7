"""The images on which given weights are evaluated, and the order of their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
from harness.data.folders.layout import DeclaredLayout, choose_layout
from harness.data.folders.walk import Findings
from harness.errors import HarnessError

ClassOrder = Literal["name", "number"]
"""Order of the labels: class names compared as text, or as integers."""


@dataclass(frozen=True)
class EvaluationImages:
    """The images on which given weights are evaluated: class names by label, (file, label) pairs, and notes."""

    classes: list[str]
    files: list[LabelledFile]
    notes: tuple[str, ...]


def list_evaluation_images(
    root: Path, layout: DeclaredLayout | None = None, order: ClassOrder | None = None
) -> EvaluationImages:
    """Return the images of the ``val`` or ``test`` split in ``root``, or of the class folders in ``root`` itself.

    Args:
        root: The folder.
        layout: The layout that the user declares; None to find it.
        order: The order of the labels; None for that of the names, where the two orders agree.

    Raises:
        HarnessError: The directory is missing, its layout can be read in two ways, it has fewer than two classes, a
            class has no images, or all names are integers and the two orders differ.
    """
    if not root.is_dir():
        raise HarnessError("this directory does not exist", where=f"{root}, --data-root", remedy="Check --data-root.")
    found = Findings(root)
    chosen = choose_layout(root, layout)
    folder, notes = choose_test_split(chosen, ("val", "test"))
    if chosen.splits and folder is None:
        raise HarnessError(
            "the folder has no val or test split with class folders",
            where=f"{root}, --data-root",
            remedy=f"Give --data-root {next(iter(chosen.splits.values()))} to evaluate on these images.",
        )
    if folder is not None:
        note_stray_images(root, found)
    classes = list_classes(folder or root, found)
    if folder is not None and "train" in chosen.splits:
        train_dir = chosen.splits["train"]
        # A class that is missing here would move the labels of all classes after it.
        if (train_classes := list_classes(train_dir, Findings(root), least=0)) != []:
            require_same_classes(root, train_dir, train_classes, folder, classes)
        notes = [f"the images are those of {folder.name}/", *notes]
    classes = _order_classes(folder or root, classes, order)
    files = list_labelled(folder or root, classes, found)
    found.count_same_files(path for path, _ in files)
    return EvaluationImages(classes, files, (*notes, *found.notes()))


def _order_classes(folder: Path, classes: list[str], order: ClassOrder | None) -> list[str]:
    """Return the class names in the order of their labels.

    Raises:
        HarnessError: All names are integers, their two orders differ, and ``order`` is None; or they are no integers
            and are to be ordered as such.
    """
    numbered = sorted(classes, key=int) if are_numbers(classes) else None
    if order == "number" and numbered is None:
        raise HarnessError(
            "the classes cannot be ordered by number, because not all of their names are integers",
            where="--order",
            remedy="Use --order name.",
        )
    if order is None and numbered not in (None, classes):
        assert numbered is not None
        raise HarnessError(
            "the classes have integers as names, and their order as text is not their order as numbers: "
            f"{first_names(classes)} against {first_names(numbered)}",
            where=f"{folder}, --order",
            remedy="Give --order number if the names are the labels of the weights. Give --order name if the weights "
            "were trained on folders with these names, by depthbench or by torchvision's ImageFolder.",
        )
    return numbered if order == "number" and numbered is not None else classes
