"""The data of an experiment: the data set that it names, and the facts about that data set."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_serializer

from harness.settings.urls import redact_passwords
from harness.specs.identity import Spec
from harness.specs.number_types import LARGE, Fraction
from harness.text import Line, PathText


class DataSpec(Spec):
    """A data set and its splits. The splits have a seed of their own, so all trials share them."""

    labels: ClassVar[frozenset[str]] = frozenset({"root", "layout"})

    name: Line = Field(description="digits, fashion-mnist, cifar10, cifar100, or imagefolder.")
    root: PathText | None = Field(None, description="Directory of the data set's files; not part of the identity.")
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Fraction held out for testing, if the data set has no test split."
    )
    val_fraction: Fraction = Field(0.0, description="Fraction of the training split held out for validation.")
    train_images: Annotated[int, Field(gt=1, lt=LARGE)] | None = Field(
        None, description="Number of images in a stratified subset of the training split (for quick tests)."
    )
    image_size: Annotated[int, Field(ge=4, le=4096)] | None = Field(
        None, description="For imagefolder: side in pixels after resizing and centre cropping (default 64)."
    )
    layout: Literal["classes", "splits"] | None = Field(
        None,
        description="For imagefolder, where the names of the directories allow both: whether they are classes, or "
        "splits (train, val, test) that hold the classes. Not part of the identity, because the fingerprint shows it.",
    )
    fingerprint: Line | None = Field(
        None, description="Content hash of the data, if only the workers have it. Each worker verifies it."
    )

    @field_serializer("root")
    def _serialize_root(self, root: str | None) -> str | None:
        """Return the root as it is recorded: the address of a packed file may hold a password or a signature."""
        return redact_passwords(root) if root is not None and "://" in root else root


class DataInfo(Spec):
    """Facts about a data set: content hash, number of classes, and sizes of images and splits.

    Attributes:
        channels: Channels of an image.
        size: (height, width) of an image in pixels.
        train: Images in the training split; likewise ``val`` and ``test``.
        source: Where the data comes from.
        class_names: Names of the classes in the order of their labels; empty where the data set does not name them.
        split_notes: Which directory holds the test images, and which are not used.
        notes: What was left out of the files, and the like.
    """

    name: Line
    fingerprint: Line
    channels: int
    classes: int
    size: tuple[int, int]
    train: int
    val: int
    test: int
    source: Line = ""
    class_names: tuple[Line, ...] = ()
    split_notes: tuple[Line, ...] = ()
    notes: tuple[Line, ...] = ()

    @property
    def chance_error(self) -> float:
        """Error in percent of guessing; a diverged trial counts with this error."""
        return 100.0 * (1 - 1 / self.classes)
