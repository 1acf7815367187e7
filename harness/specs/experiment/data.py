"""The data of an experiment: which data set it names, and what that data set holds."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from harness.specs.identity import Spec
from harness.specs.number_types import LARGE, Fraction
from harness.text import Line, PathText


class DataSpec(Spec):
    """A data set and its splits. The split has its own seed, never the trial's."""

    labels: ClassVar[frozenset[str]] = frozenset({"root"})

    name: Line = Field(description="digits, fashion-mnist, cifar10, cifar100, or imagefolder.")
    root: PathText | None = Field(None, description="Where its files are; not part of the identity.")
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Held out for testing, where the data set has no test split of its own."
    )
    val_fraction: Fraction = Field(0.0, description="Held out of training for selection.")
    train_images: Annotated[int, Field(gt=1, lt=LARGE)] | None = Field(
        None, description="Train on a stratified subset of this size (smoke runs, small budgets)."
    )
    image_size: Annotated[int, Field(ge=4, le=4096)] | None = Field(
        None, description="imagefolder: side in pixels after resizing and centre cropping (default 64)."
    )
    fingerprint: Line | None = Field(
        None, description="Content hash, where the data is only on the workers; each of them verifies it."
    )


class DataInfo(Spec):
    """What a data set turned out to hold."""

    name: Line
    fingerprint: Line
    channels: int
    classes: int
    size: tuple[int, int]
    train: int
    val: int
    test: int
    source: Line = ""

    @property
    def chance_error(self) -> float:
        """Error in percent of guessing; what a diverged trial scores."""
        return 100.0 * (1 - 1 / self.classes)
