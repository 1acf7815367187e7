"""Which images of a data set are for training, validation and testing."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from importlib.metadata import version
from io import BytesIO

import numpy as np

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.user_cache import cache_dir
from harness.specs import DataSpec
from harness.specs.identity import digest

SplitIndices = tuple[np.ndarray, np.ndarray, np.ndarray]
"""int64 indices of the training, validation and test images, each in rising order."""


def split_indices(spec: DataSpec, labels: np.ndarray, has_test: bool) -> SplitIndices:
    """Return a stratified split of the images that a data set has for training.

    The split is kept in the user's cache, because the import of scikit-learn, which draws it, takes longer than the
    rest of a plan.

    Args:
        spec: Declares the fractions and the split seed.
        labels: (N,) of the training images.
        has_test: Whether the data set has a test split of its own; the test indices are then empty.

    Raises:
        HarnessError: A class is too small to be split, or the data set has fewer training images than declared.
    """
    settings = [spec.split_seed, spec.test_fraction, spec.val_fraction, spec.train_images, has_test]
    content = hashlib.sha256(np.ascontiguousarray(labels, np.int64).data).hexdigest()
    cache = cache_dir() / "splits" / f"{digest([*settings, version('scikit-learn'), content], 20)}.npz"
    # A damaged file raises errors of many kinds, such as EOFError where it is empty. It is then made again.
    with suppress(Exception), np.load(cache, allow_pickle=False) as cached:
        return cached["train"], cached["val"], cached["test"]
    train, val, test = _draw_split(spec, labels, has_test)
    buffer = BytesIO()
    np.savez(buffer, train=train, val=val, test=test)
    with suppress(HarnessError):
        write_atomic(cache, buffer.getvalue())
    return train, val, test


def _draw_split(spec: DataSpec, labels: np.ndarray, has_test: bool) -> SplitIndices:
    """Draw a split with scikit-learn, which uses the legacy random generator that NumPy keeps as it is."""
    from sklearn.model_selection import train_test_split

    def hold_out(indices: np.ndarray, amount: float | int, field: str) -> tuple[np.ndarray, np.ndarray]:
        """Return (the rest, the images held out)."""
        try:
            rest, held_out = train_test_split(
                indices, test_size=amount, stratify=labels[indices], random_state=spec.split_seed
            )
        except ValueError as error:
            classes = len(np.unique(labels))
            raise HarnessError(
                f"with {amount:g}, one side of the split has fewer images than the {classes} classes",
                where=f"data.{field}",
                remedy=f"Leave at least {classes} of the {len(indices)} images on each side, with two or more of each "
                "class in total.",
            ) from error
        return np.sort(rest), np.sort(held_out)

    empty = np.empty(0, np.int64)
    train, test, val = np.arange(len(labels)), empty, empty
    if not has_test:
        train, test = hold_out(train, spec.test_fraction, "test_fraction")
    if spec.val_fraction:
        train, val = hold_out(train, spec.val_fraction, "val_fraction")
    if spec.train_images is not None and spec.train_images != len(train):
        if spec.train_images > len(train):
            raise HarnessError(
                f"{spec.train_images} training images are declared, and the data set has {len(train)}",
                where="data.train_images",
                remedy="Declare fewer, or leave the field out.",
            )
        _, train = hold_out(train, spec.train_images, "train_images")
    return train, val, test
