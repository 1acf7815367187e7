"""An experiment: variants x data x recipe x seeds, with the contrasts that it declares beforehand."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from harness.specs.experiment.contrasts import Contrast, Depth
from harness.specs.experiment.data import DataSpec
from harness.specs.experiment.execution import Execution, Resources
from harness.specs.experiment.interim_looks import MOST_SEEDS, Looks
from harness.specs.experiment.recipe import Recipe
from harness.specs.experiment.search_space import SearchSpec
from harness.specs.identity import Spec, canonical
from harness.specs.network.external import NetworkKind
from harness.specs.network.shortcuts import OPTIONS
from harness.specs.network.weights import OptionalWeights
from harness.specs.number_types import Seed
from harness.text import Label, Line, Prose

DEVICES = {"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))}


def _portable(name: str) -> str:
    """A directory is called so, also in a checkout on Windows, and `harness report` has to tell it from a file."""
    if name.partition(".")[0] in DEVICES or name.endswith("."):
        raise ValueError(f"'{name}' can not be a directory on Windows: choose another name")
    if name.endswith((".csv", ".yaml", ".yml")):
        raise ValueError(f"'{name}' looks like a file: leave the ending out")
    return name


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64), AfterValidator(_portable)]
MOST_TRIALS = 10_000


class VariantSelection(Spec):
    """Which variants: one by name, every combination of a family's depths and shortcuts, or one of another library."""

    name: Line | None = Field(None, description="A member or twin, such as resnet18 or cifar-plain56.")
    family: Line | None = Field(None, description="A family of variants/, crossed with depth and shortcut.")
    depth: tuple[Depth, ...] = ()
    shortcut: tuple[Line, ...] = ()
    block: Literal["basic", "bottleneck"] | None = None
    kind: NetworkKind | None = Field(
        None, description="torchvision or timm (name is that of a model), or python (a factory of your own)."
    )
    factory: Line | None = Field(None, description="For kind python: package.module:function.")
    args: dict[str, Any] = Field({}, description="For a kind: more arguments of the model or factory.")
    weights: OptionalWeights = Field(None, description="For a kind: what the network starts from.")
    label: Annotated[Label, Field(min_length=1)] | None = Field(
        None, description="What reports call it, for a variant changed by `set`."
    )
    set: dict[str, Any] = Field({}, description="Fields of the variant to change, such as widths.")

    @field_validator("depth", "shortcut", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return value if isinstance(value, list | tuple) else (value,)

    @field_validator("shortcut")
    @classmethod
    def _options(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the paper stand for ours."""
        return tuple(OPTIONS.get(name, name) for name in value)

    @model_validator(mode="after")
    def _one_of_another_library(self) -> VariantSelection:
        if self.kind is None:
            if self.factory is not None or self.args or self.weights:
                raise ValueError("factory, args and weights go with kind; elsewhere write set: {weights: FILE}")
            return self
        wanted, other = ("factory", "name") if self.kind == "python" else ("name", "factory")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(f"kind {self.kind} needs {wanted}, and no {other}")
        if self.family is not None or self.depth or self.shortcut or self.block or self.set:
            raise ValueError(f"kind {self.kind} goes with {wanted}, args, weights and label alone")
        return self

    @model_validator(mode="after")
    def _name_or_family(self) -> VariantSelection:
        if self.kind == "python":
            return self
        if (self.name is None) == (self.family is None):
            raise ValueError("give either name (one variant) or family (with depth)")
        if self.family is not None and not self.depth:
            raise ValueError("a family needs depth: one, or a list of them")
        if self.name is not None and (self.depth or self.shortcut or self.block):
            raise ValueError("depth, shortcut and block go with family; change a named variant with set")
        if self.label is not None and self.name is None:
            raise ValueError("label goes with name or factory")
        for field, values in (("depth", self.depth), ("shortcut", self.shortcut)):
            if len(set(values)) < len(values):
                raise ValueError(f"{field} names the same value twice")
        return self


class Experiment(Spec):
    """A question, and everything that is run to answer it."""

    name: Name
    question: Prose = Field(min_length=1, max_length=500)
    variants: Annotated[tuple[VariantSelection, ...], Field(min_length=1)]
    data: DataSpec
    recipe: Recipe
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MOST_SEEDS)]
    tune: SearchSpec | None = Field(None, description="A search for each variant's own recipe, beside the common one.")
    contrasts: tuple[Contrast, ...] = ()
    level: Annotated[float, Field(gt=0, lt=0.5)] = Field(0.05, description="Of each verdict, corrected by Holm.")
    looks: Looks = Field(
        (), description="Numbers of seeds at which verdicts are asked for, such as [8, 12, 16]; they share the level."
    )
    resources: Resources = Resources()
    execution: Execution = Execution()
    notes: Prose = ""

    @field_validator("variants", mode="before")
    @classmethod
    def _choices(cls, value: Any) -> Any:
        """A lone choice needs no list, and a bare word is a variant's name."""
        choices = value if isinstance(value, list | tuple) else [value]
        return [{"name": choice} if isinstance(choice, str) else choice for choice in choices]

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        twice = sorted(seed for seed, times in Counter(value).items() if times > 1)
        if twice:
            raise ValueError(f"seed {twice[0]} stands there twice")
        return value

    @field_validator("tune")
    @classmethod
    def _fair(cls, value: SearchSpec | None, known: ValidationInfo) -> SearchSpec | None:
        """Selection looks at a split of its own and at seeds of its own, or it would flatter what it selected."""
        if value is None:
            return None
        data, recipe = known.data.get("data"), known.data.get("recipe")
        shared = sorted(set(value.seeds) & set(known.data.get("seeds", ())))
        if shared:
            raise ValueError(
                f"seed {shared[0]} is of the search and of the experiment: results are from seeds that no search saw"
            )
        if data is not None and not data.val_fraction:
            raise ValueError("a search needs a validation split: set data.val_fraction, such as 0.1")
        if recipe is not None:
            value.check_recipe(recipe)
        return value

    @field_validator("contrasts")
    @classmethod
    def _distinct_contrasts(cls, value: tuple[Contrast, ...]) -> tuple[Contrast, ...]:
        seen: set[str] = set()
        for contrast in value:
            key = canonical(contrast.model_dump(mode="json", exclude={"margin", "smallest_effect"}))
            if key in seen:
                raise ValueError(f"the same {contrast.kind} contrast is declared twice: remove one of them")
            seen.add(key)
        return value

    @property
    def look_level(self) -> float:
        """The level of every look: declared ones share it equally."""
        return self.level / max(len(self.looks), 1)
