"""The data of an experiment: the data set or the list of data sets that it names, and the facts about each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_serializer

from harness.io.model_fields import ONE_DATA_SET, SEVERAL_DATA_SETS
from harness.settings.urls import redact_passwords
from harness.specs.identity import Spec
from harness.specs.number_types import LARGE, Fraction
from harness.text import Line, PathText

SetLabel: TypeAlias = Annotated[Line, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=40)]
MOST_DATA_SETS = 20


class DataSpec(Spec):
    """A data set and its splits. The splits have a seed of their own, so all trials share them."""

    example: ClassVar[str] = "{name: digits}"
    labels: ClassVar[frozenset[str]] = frozenset({"root", "layout", "label"})

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
    label: SetLabel | None = Field(
        None,
        description="Name of the data set in reports (default: name). Two data sets of an experiment need two.",
    )

    @property
    def title(self) -> str:
        """Its name in reports: its label, or else the name of the data set."""
        return self.label or self.name

    @field_serializer("root")
    def _serialize_root(self, root: str | None) -> str | None:
        """Return the root as it is recorded: the address of a packed file may hold a password or a signature."""
        return redact_passwords(root) if root is not None and "://" in root else root


def _require_distinct_sets(value: tuple[DataSpec, ...]) -> tuple[DataSpec, ...] | DataSpec:
    """Refuse a list that contains one data set twice; return the only data set of a list of one."""
    for index, spec in enumerate(value):
        for earlier, other in enumerate(value[:index]):
            if spec.model_copy(update={"label": None}) == other.model_copy(update={"label": None}):
                raise ValueError(f"entry {index} is the same data set as entry {earlier}: remove one of the two")
            if spec.title == other.title:
                raise ValueError(f"two data sets are called {spec.title}: give one of them another label")
    return value[0] if len(value) == 1 else value


def _choose_tag(value: Any) -> str:
    return SEVERAL_DATA_SETS if isinstance(value, list | tuple) else ONE_DATA_SET


DataField: TypeAlias = Annotated[
    Annotated[DataSpec, Tag(ONE_DATA_SET)]
    | Annotated[
        tuple[DataSpec, ...],
        Field(min_length=1, max_length=MOST_DATA_SETS),
        AfterValidator(_require_distinct_sets),
        Tag(SEVERAL_DATA_SETS),
    ],
    Discriminator(_choose_tag),
]
"""The field ``data`` of an experiment: one data set, or a list of them."""


def list_data_sets(data: DataSpec | Sequence[DataSpec]) -> tuple[DataSpec, ...]:
    """Return the data sets of the field ``data``, in their declared order."""
    return (data,) if isinstance(data, DataSpec) else tuple(data)


def refuse_with_several_data_sets(value: Any, info: ValidationInfo) -> Any:
    """Refuse a value of a field that works with one data set only, where the experiment has several."""
    if value not in (None, ()) and isinstance(info.data.get("data"), tuple):
        raise ValueError(
            f"{info.field_name} works with one data set, and data is a list of several: remove {info.field_name}, or "
            "write one experiment for each data set"
        )
    return value


def exclude_from_data(data: DataSpec | Sequence[DataSpec], *fields: str) -> Any:
    """Return what pydantic's ``exclude`` needs to leave out ``fields`` of every data set in the field ``data``."""
    return set(fields) if isinstance(data, DataSpec) else {"__all__": set(fields)}


class DataInfo(Spec):
    """Facts about a data set: content hash, number of classes, and sizes of images and splits.

    Attributes:
        channels: Channels of an image.
        size: (height, width) of an image in pixels.
        train: Images in the training split; likewise ``val`` and ``test``.
        source: Where the data comes from.
        label: Its name in reports, where the experiment gives one.
        class_names: Names of the classes in the order of their labels; empty where the data set does not name them.
        split_notes: Which directory holds the test images, and which are not used.
        notes: What was left out of the files, and the like.
        has_own_test: Whether its test images are a split of its own, which no split seed changes.
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
    label: Line = ""
    has_own_test: bool = False

    @property
    def title(self) -> str:
        """Its name in reports: its label, or else the name of the data set."""
        return self.label or self.name

    @property
    def chance_error(self) -> float:
        """Error in percent of guessing; a diverged trial counts with this error."""
        return 100.0 * (1 - 1 / self.classes)
