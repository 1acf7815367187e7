"""The experiment: variants x data x recipe x seeds, with the contrasts that it declares before it runs."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from harness.specs.adaptive.decide import StageSpec, check_with_decide, extend_seeds
from harness.specs.experiment.contrasts import UNTRAINED_TOLERANCE, Contrast
from harness.specs.experiment.data import DataField, DataSpec, list_data_sets, refuse_with_several_data_sets
from harness.specs.experiment.execution import Execution, Resources
from harness.specs.experiment.interim_looks import MOST_SEEDS, Looks
from harness.specs.experiment.recipe import Recipe
from harness.specs.experiment.search_space import SearchSpec
from harness.specs.experiment.targets import Targets, TimeToTarget, require_distinct_targets, with_declared_target
from harness.specs.experiment.variant_selection import VariantSelection
from harness.specs.identity import Spec, canonical
from harness.specs.number_types import Seed
from harness.specs.replication.replicate import Replicate, Replication
from harness.specs.replication.variance_design import VarianceDesign, check_with_variance
from harness.text import Prose

WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))}
"""Names that Windows reserves, with any ending."""


def _require_directory_name(name: str) -> str:
    """Refuse a name that cannot be a directory on Windows, or that `harness report` would read as a file."""
    if name.partition(".")[0] in WINDOWS_DEVICES or name.endswith("."):
        raise ValueError(f"'{name}' cannot be the name of a directory on Windows: choose another name")
    if name.endswith((".csv", ".yaml", ".yml")):
        raise ValueError(f"'{name}' looks like the name of a file: remove the ending")
    return name


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64), AfterValidator(_require_directory_name)]
"""Name of an experiment, which is also the name of its directory in reports/."""
MOST_TRIALS = 10_000


class Experiment(Spec):
    """A question, and everything that is run to answer it."""

    name: Name
    question: Prose = Field(min_length=1, max_length=500)
    variants: Annotated[tuple[VariantSelection, ...], Field(min_length=1)]
    data: DataField
    recipe: Recipe
    decide: StageSpec | None = Field(
        None, description="Stages of an adaptive experiment, which adds seeds until its contrasts are decided."
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MOST_SEEDS)]
    tune: SearchSpec | None = Field(
        None, description="A search for a recipe of each variant's own, in addition to the common recipe."
    )
    targets: Targets = Field(
        (), description="Errors for which reports show the time until they are first reached, in epochs and seconds."
    )
    contrasts: tuple[Contrast, ...] = ()
    level: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        0.05, description="Level of all verdicts together, with Holm's correction."
    )
    looks: Looks = Field(
        (), description="Numbers of seeds at which verdicts are made, such as [8, 12, 16]; they share the level."
    )
    untrained_tolerance: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        UNTRAINED_TOLERANCE,
        description="A trial counts as untrained if its last training loss is at least (1 - this) x log(classes), and "
        "both training errors are at least (1 - this) x the error of guessing.",
    )
    replicate: Replicate = Field(
        Replication(), description="Sources of randomness that the seeds vary, such as [initialisation, order, split]."
    )
    variance: VarianceDesign | None = Field(
        None, description="A crossed design that measures how much each source of randomness moves the results."
    )
    resources: Resources = Resources()
    execution: Execution = Execution()
    notes: Prose = ""

    _refuse_with_several_data_sets = field_validator("tune", "decide", "variance")(refuse_with_several_data_sets)

    @field_validator("data")
    @classmethod
    def _refuse_matches_on_several(cls, value: DataField, info: ValidationInfo) -> DataField:
        if isinstance(value, tuple) and any(selection.match for selection in info.data.get("variants", ())):
            raise ValueError(
                "match finds a network of equal cost on one data set, and data is a list of several: remove match, or "
                "write one experiment for each data set"
            )
        return value

    @field_validator("variants", mode="before")
    @classmethod
    def _accept_names(cls, value: Any) -> Any:
        """Accept one selection without a list, and a text as the name of a variant."""
        selections = value if isinstance(value, list | tuple) else [value]
        # A tuple, because validation is strict.
        return tuple({"name": selection} if isinstance(selection, str) else selection for selection in selections)

    @field_validator("replicate", "variance")
    @classmethod
    def _check_with_variance(cls, value: Any, info: ValidationInfo) -> Any:
        check_with_variance(value, info.data)
        return value

    @field_validator("seeds")
    @classmethod
    def _require_distinct_seeds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        repeated = sorted(seed for seed, count in Counter(value).items() if count > 1)
        if repeated:
            raise ValueError(f"seed {repeated[0]} is given twice: remove one of the two")
        return value

    @field_validator("seeds")
    @classmethod
    def _extend_seeds(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        return extend_seeds(value, info.data.get("decide"))

    @field_validator("tune", "contrasts", "looks")
    @classmethod
    def _check_with_decide(cls, value: Any, info: ValidationInfo) -> Any:
        check_with_decide(str(info.field_name), value, info.data.get("decide"))
        return value

    @field_validator("tune")
    @classmethod
    def _require_fair_search(cls, value: SearchSpec | None, info: ValidationInfo) -> SearchSpec | None:
        """Require other seeds and other images for the search: otherwise the selected recipe would look too good."""
        if value is None:
            return None
        data, recipe = info.data.get("data"), info.data.get("recipe")
        shared = sorted(set(value.seeds) & set(info.data.get("seeds", ())))
        if shared:
            raise ValueError(
                f"seed {shared[0]} is used by the search and by the experiment: give the search other seeds"
            )
        if data is not None and not data.val_fraction:
            raise ValueError("a search needs a validation split: set data.val_fraction, for example to 0.1")
        if recipe is not None:
            value.check_recipe(recipe)
        return value

    _distinct_targets = field_validator("targets")(require_distinct_targets)

    @field_validator("contrasts")
    @classmethod
    def _add_targets(cls, value: tuple[Contrast, ...], info: ValidationInfo) -> tuple[Contrast, ...]:
        targets = info.data.get("targets", ())
        return tuple(with_declared_target(c, targets) if isinstance(c, TimeToTarget) else c for c in value)

    @field_validator("contrasts")
    @classmethod
    def _require_distinct_contrasts(cls, value: tuple[Contrast, ...]) -> tuple[Contrast, ...]:
        keys: set[str] = set()
        for contrast in value:
            key = canonical(contrast.model_dump(mode="json", exclude={"margin", "smallest_effect", "margin_reason"}))
            if key in keys:
                raise ValueError(f"the same {contrast.kind} contrast is declared twice: remove one of the two")
            keys.add(key)
        return value

    @property
    def data_sets(self) -> tuple[DataSpec, ...]:
        """Its data sets, in their declared order."""
        return list_data_sets(self.data)

    @property
    def look_level(self) -> float:
        """Level of each interim look: the declared looks share the level equally."""
        return self.level / max(len(self.looks), 1)
