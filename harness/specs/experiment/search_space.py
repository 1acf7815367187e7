"""The search for a recipe of each variant's own: its fields and ranges, and the samples that it draws."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from itertools import count, islice, product
from math import exp, log, prod, sqrt
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from harness.errors import suggest_nearest
from harness.io.validation import describe_error
from harness.specs.experiment.recipe import Recipe
from harness.specs.identity import Spec, canonical
from harness.specs.number_types import Seed
from harness.specs.random_streams import stream_seed
from harness.text import Line

Value = bool | int | float | str | None
Fields = dict[str, Value]
"""Values of fields of a recipe, by name."""

SEARCHABLE_FIELDS = (
    "lr", "weight_decay", "momentum", "nesterov", "optimiser", "schedule", "decay", "warmup_epochs",
    "label_smoothing", "clip_grad_norm",
)  # fmt: skip
"""Fields that can be searched. Epochs and batch are the budget, which is the same for all variants."""
RANGE_FIELDS = ("lr", "weight_decay", "momentum", "decay", "warmup_epochs", "label_smoothing", "clip_grad_norm")
"""Fields that can have a range; the others need a list of values."""
MOST_SAMPLES = 1000
MOST_VALUES = 100
MOST_CORNERS = 4096
"""Combinations of ends and values that are checked against the recipe."""
SEQUENCE_STEPS = ((sqrt(5) - 1) / 2, *(sqrt(prime) % 1 for prime in (2, 3, 7, 11, 13, 17, 19, 23, 29)))
"""Step of the sequence along each axis: the golden ratio, which spreads points most evenly, then roots of primes."""
MOST_SKIPPED = 100_000
"""Samples that are skipped, because they were drawn before, until one is accepted in any case."""


class SearchRange(Spec):
    """The values of one field that are searched: from ``low`` to ``high``, or a list of values."""

    low: float | None = None
    high: float | None = None
    log: bool = Field(False, description="Draw evenly on a logarithmic scale, as is usual for learning rates.")
    values: Annotated[tuple[Value, ...], Field(max_length=MOST_VALUES)] = ()

    @model_validator(mode="before")
    @classmethod
    def _accept_list(cls, value: Any) -> Any:
        fields = {"values": value} if isinstance(value, list | tuple) else value
        if isinstance(fields, dict) and isinstance(fields.get("values"), list):
            # A tuple, because validation is strict.
            return {**fields, "values": tuple(fields["values"])}
        return fields

    @model_validator(mode="after")
    def _check_range_or_values(self) -> SearchRange:
        if self.values:
            if self.low is not None or self.high is not None or self.log:
                raise ValueError("give either a list of values, or low and high, not both")
            if len({canonical(value) for value in self.values}) < len(self.values):
                raise ValueError("the list contains a value twice: remove one of the two")
            return self
        if self.low is None or self.high is None:
            raise ValueError("low or high is missing: write {low: 0.005, high: 0.5, log: true}, or a list of values")
        if self.low >= self.high:
            raise ValueError(f"low is {self.low:g} and high is {self.high:g}: low must be less than high")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low:g}: a logarithmic range must begin above 0")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """All values of the list, or both ends of the range."""
        return self.values or (self.low, self.high)

    def contains(self, value: Value) -> bool:
        """Return whether ``value`` is in the list or the range."""
        if self.values:
            return any(value == listed for listed in self.values)
        assert self.low is not None and self.high is not None
        return isinstance(value, int | float) and self.low <= value <= self.high

    def value_at(self, uniform: float) -> Value:
        """Return the value at position ``uniform`` (from 0 to 1) of the list or the range."""
        if self.values:
            return self.values[min(int(uniform * len(self.values)), len(self.values) - 1)]
        assert self.low is not None and self.high is not None
        if self.log:
            return self.round_value(exp(log(self.low) + uniform * (log(self.high) - log(self.low))))
        return self.round_value(self.low + uniform * (self.high - self.low))

    def round_value(self, value: float) -> float:
        """Return ``value`` with four significant digits, within the range: the same number on every machine."""
        assert self.low is not None and self.high is not None
        return min(max(float(f"{value:.4g}"), self.low), self.high)


class SearchSpec(Spec):
    """The search that comes before the comparison.

    It tries the same number of samples for each variant and chooses on the validation split.
    """

    example: ClassVar[str] = "{samples: 8, fields: {lr: {low: 0.01, high: 1, log: true}}}"

    samples: Annotated[int, Field(gt=0, le=MOST_SAMPLES)] = Field(
        description="Recipes that are tried for each variant. The experiment's recipe is the first, if it is in the "
        "ranges."
    )
    fields: Annotated[dict[Line, SearchRange], Field(min_length=1)] = Field(
        description="Fields of the recipe that are searched, each with {low, high, log} or a list of values."
    )
    searcher: Literal["random", "optuna"] = Field(
        "random",
        description="random: all variants try the same recipes. optuna: TPE, which learns from the results of each "
        "variant (pip install 'depthbench[tune]').",
    )
    scheduler: Literal["none", "asha"] = Field(
        "none",
        description="asha: ends trials early whose error is higher than that of other trials of their variant. Needs "
        "--launcher ray.",
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=100)] = Field(
        (0,),
        description="Seeds of the search, none of which the experiment uses. Each sample is trained with each of them.",
    )
    metric: Literal["val/error", "val/loss"] = Field(
        "val/error", description="Metric that the chosen sample minimises."
    )

    @field_validator("seeds")
    @classmethod
    def _require_distinct_seeds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a seed is given twice: remove one of the two")
        return value

    @field_validator("fields")
    @classmethod
    def _require_searchable_fields(cls, value: dict[str, SearchRange]) -> dict[str, SearchRange]:
        for name, span in value.items():
            if name not in SEARCHABLE_FIELDS:
                is_budget = name in ("epochs", "batch", "micro_batch")
                reason = "is the budget, which is the same for all variants" if is_budget else "cannot be searched"
                raise ValueError(f"the field '{name}' {reason}. {suggest_nearest(name, SEARCHABLE_FIELDS)}")
            if not span.values and name not in RANGE_FIELDS:
                raise ValueError(f"the field '{name}' cannot have a range: give a list of values")
        return value

    @model_validator(mode="after")
    def _check_combination(self) -> SearchSpec:
        if self.scheduler == "asha" and self.searcher == "optuna":
            raise ValueError("optuna needs finished trials, and asha ends trials early: use only one of the two")
        if self.scheduler == "asha" and len(self.seeds) > 1:
            raise ValueError("asha needs samples of one seed: give one seed, or write scheduler: none")
        if all(span.values for span in self.fields.values()):
            recipe_count = prod(len(span.values) for span in self.fields.values())
            if recipe_count < self.samples:
                raise ValueError(
                    f"samples is {self.samples}, but the lists give only {recipe_count} different recipes: use fewer "
                    "samples, or longer lists"
                )
        return self

    def check_recipe(self, recipe: Recipe) -> None:
        """Check that the recipe stays valid at the ends of all ranges and at all values of the lists.

        Raises:
            ValueError: A combination of them is not a valid recipe.
        """
        corners = product(*(span.ends for span in self.fields.values()))
        for corner in islice(corners, MOST_CORNERS):
            sampled = dict(zip(self.fields, corner, strict=True))
            try:
                with_fields(recipe, sampled)
            except ValidationError as error:
                message = describe_error(error.errors()[0])
                fields = ", ".join(f"{key}: {value}" for key, value in sampled.items())
                raise ValueError(
                    f"the search could draw {{{fields}}}, which is not a valid recipe: {message}"
                ) from error

    def values_of(self, recipe: Recipe) -> Fields | None:
        """Return the values of a recipe's searched fields; None if they are outside the ranges."""
        values: Fields = {name: getattr(recipe, name) for name in self.fields}
        return values if all(span.contains(values[name]) for name, span in self.fields.items()) else None

    def draw_sample(self, number: int, drawn: Collection[str] = ()) -> Fields:
        """Return sample ``number`` of the seeded sequence, or the next one that was not drawn before.

        The samples are points of a Kronecker sequence from a random start. Every part of it covers the space evenly,
        where a few independent draws would leave gaps (Bousquet et al. 2017, Critical Hyper-Parameters,
        arXiv:1706.03200). A larger number of samples does not change the earlier ones.

        Args:
            drawn: Canonical JSON of each sample that was drawn before.
        """
        generator = random.Random(stream_seed(self.seeds[0], "tune"))  # noqa: S311 (no secret)
        starts = [generator.random() for _ in self.fields]
        sampled: Fields = {}
        for index in count(number):
            sampled = {
                name: span.value_at((start + index * SEQUENCE_STEPS[axis]) % 1.0)
                for axis, ((name, span), start) in enumerate(zip(self.fields.items(), starts, strict=True))
            }
            if canonical(sampled) not in drawn or index - number >= MOST_SKIPPED:
                break
        return sampled

    def initial_samples(self, recipe: Recipe) -> list[Fields]:
        """Return the samples that need no results of others: all of ``random``, and the first of ``optuna``.

        The first sample is the experiment's recipe, if it is in the ranges. The choice on the validation split is
        then at least as good as that recipe for every variant.
        """
        samples: list[Fields] = []
        common_values = self.values_of(recipe)
        if common_values is not None:
            samples.append(common_values)
        for number in range(len(samples), self.samples if self.searcher == "random" else 1):
            samples.append(self.draw_sample(number, {canonical(fields) for fields in samples}))
        return samples


class Sample(Spec):
    """One recipe that the search tries for one variant."""

    variant: Line
    number: Annotated[int, Field(ge=0)]
    fields: dict[Line, Value]


def with_fields(recipe: Recipe, fields: Mapping[str, Value]) -> Recipe:
    """Return a recipe with some fields replaced, validated like a recipe from a file."""
    return Recipe.model_validate({**recipe.model_dump(), **fields}, strict=True)
