"""A data set as arrays in memory, before it is split: their types, and the facts that identify them."""

from __future__ import annotations

import hashlib
from typing import TypedDict

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]
"""uint8 images (N, C, H, W) and int64 labels (N,)."""
TrainTestArrays = tuple[Arrays, Arrays | None]
"""The training images, and the test images where the data set has a test split of its own."""


class DataFacts(TypedDict):
    """The facts about a data set that planning needs; a cache stores them as JSON.

    Attributes:
        fingerprint: First 16 hex digits of the sha256 of the content.
        shape: (channels, height, width); for an image folder (3, 0, 0), because its images differ in size.
        classes: Number of classes.
        labels: The label of each training image.
        test: Number of test images; None without a test split.
        class_names: The names of the classes in the order of their labels; empty where the files do not name them.
        split_notes: Which directories hold the splits, and which are not used; one line each.
        notes: What was left out of the files, and the like; one line each.
    """

    fingerprint: str
    shape: list[int]
    classes: int
    labels: list[int]
    test: int | None
    class_names: list[str]
    split_notes: list[str]
    notes: list[str]


def compute_facts(train: Arrays, test: Arrays | None) -> DataFacts:
    """Return the facts of images and labels in memory, with a fingerprint of their content."""
    content = hashlib.sha256()
    for array in (*train, *(test or ())):
        content.update(f"{array.dtype.str}{array.shape}".encode())
        content.update(np.ascontiguousarray(array).data)
    return {
        "fingerprint": content.hexdigest()[:16],
        "shape": list(train[0].shape[1:]),
        "classes": int(train[1].max()) + 1,
        "labels": train[1].tolist(),
        "test": None if test is None else len(test[1]),
        "class_names": [],
        "split_notes": [],
        "notes": [],
    }
