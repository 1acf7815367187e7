"""A fair search: fields of the recipe that are chosen for each variant, all of them with the same budget."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from itertools import count, islice, product
from math import exp, log, prod, sqrt
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from harness.errors import suggest_nearest
from harness.specs.experiment.recipe import Recipe
from harness.specs.identity import Spec, canonical
from harness.specs.number_types import Seed
from harness.specs.random_streams import stream_seed
from harness.text import Line

Value = bool | int | float | str | None
Fields = dict[str, Value]
"""Values of a recipe's fields."""

TUNABLE = (
    "lr", "weight_decay", "momentum", "nesterov", "optimiser", "schedule", "decay", "warmup_epochs",
    "label_smoothing", "clip_grad_norm",
)  # fmt: skip
"""What may be searched. Epochs and batch are the budget, which is the same for all; the rest is not optimisation."""
RANGED = ("lr", "weight_decay", "momentum", "decay", "warmup_epochs", "label_smoothing", "clip_grad_norm")
MOST_SAMPLES = 1000
MOST_VALUES = 100
MOST_CORNERS = 4096
"""Combinations of ends and values that are tried out on the recipe."""
STEPS = ((sqrt(5) - 1) / 2, *(sqrt(prime) % 1 for prime in (2, 3, 7, 11, 13, 17, 19, 23, 29)))
"""Of the sequence along each axis: the golden ratio, than which nothing spreads more evenly, then roots of primes."""
MOST_PASSED = 100_000
"""Samples that are passed over in search of one that was not drawn before."""


class SearchRange(Spec):
    """Where a field is searched: from ``low`` to ``high``, or among ``values`` (a list stands for these)."""

    low: float | None = None
    high: float | None = None
    log: bool = Field(False, description="Draw evenly on a logarithmic scale, as is usual for a learning rate.")
    values: Annotated[tuple[Value, ...], Field(max_length=MOST_VALUES)] = ()

    @model_validator(mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return {"values": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _one_kind(self) -> SearchRange:
        if self.values:
            if self.low is not None or self.high is not None or self.log:
                raise ValueError("give either a list of values, or low and high")
            if len({canonical(value) for value in self.values}) < len(self.values):
                raise ValueError("a value stands there twice")
            return self
        if self.low is None or self.high is None:
            raise ValueError("write {low: 0.005, high: 0.5, log: true}, or a list of values")
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be less than high ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low:g}: a logarithmic range begins above 0")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values, or both ends of the range."""
        return self.values or (self.low, self.high)

    def contains(self, value: Value) -> bool:
        """Whether ``value`` is one of those that are searched."""
        if self.values:
            return any(value == known for known in self.values)
        assert self.low is not None and self.high is not None
        return isinstance(value, int | float) and self.low <= value <= self.high

    def value_at(self, uniform: float) -> Value:
        """The value at ``uniform`` (from 0 to 1) of the range or the list."""
        if self.values:
            return self.values[min(int(uniform * len(self.values)), len(self.values) - 1)]
        assert self.low is not None and self.high is not None
        if self.log:
            return self.round_value(exp(log(self.low) + uniform * (log(self.high) - log(self.low))))
        return self.round_value(self.low + uniform * (self.high - self.low))

    def round_value(self, value: float) -> float:
        """Four significant digits, within the range: what a person can write into a recipe, on every machine alike."""
        assert self.low is not None and self.high is not None
        return min(max(float(f"{value:.4g}"), self.low), self.high)


class SearchSpec(Spec):
    """The search before the comparison: the same number of samples for each variant, judged on the validation split."""

    samples: Annotated[int, Field(gt=0, le=MOST_SAMPLES)] = Field(
        description="Recipes that are tried for each variant; the experiment's own is the first where it is in range."
    )
    fields: Annotated[dict[Line, SearchRange], Field(min_length=1)] = Field(
        description="Of the recipe, each with {low, high, log} or a list of values."
    )
    searcher: Literal["random", "optuna"] = Field(
        "random",
        description="random: all variants are given the same draws. optuna: TPE, which learns from the results of each "
        "variant (pip install 'depthbench[tune]').",
    )
    scheduler: Literal["none", "asha"] = Field(
        "none", description="asha: stops trials that are behind others of their variant early. Needs --launcher ray."
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=100)] = Field(
        (0,), description="Of the search; none of the experiment's own. Each sample is trained at each of them."
    )
    metric: Literal["val/error", "val/loss"] = Field("val/error", description="What the choice minimises.")

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a seed stands there twice")
        return value

    @field_validator("fields")
    @classmethod
    def _tunable(cls, value: dict[str, SearchRange]) -> dict[str, SearchRange]:
        for name, span in value.items():
            if name not in TUNABLE:
                budget = name in ("epochs", "batch", "micro_batch")
                why = "is the budget, which is the same for all" if budget else "is not a field that can be tuned"
                raise ValueError(f"'{name}' {why}. {suggest_nearest(name, TUNABLE)}")
            if not span.values and name not in RANGED:
                raise ValueError(f"'{name}' has no range: give a list of values")
        return value

    @model_validator(mode="after")
    def _they_agree(self) -> SearchSpec:
        if self.scheduler == "asha" and self.searcher == "optuna":
            raise ValueError("optuna learns from finished trials, and asha stops trials: use one of the two")
        if self.scheduler == "asha" and len(self.seeds) > 1:
            raise ValueError("asha stops single trials, so a sample has one seed: give one, or scheduler: none")
        if all(span.values for span in self.fields.values()):
            different = prod(len(span.values) for span in self.fields.values())
            if different < self.samples:
                raise ValueError(f"the lists make {different} different recipes, fewer than {self.samples} samples")
        return self

    def check_recipe(self, recipe: Recipe) -> None:
        """Try the ends of all ranges, and all values, on a recipe.

        Raises:
            ValueError: One of them, or a combination, is no recipe.
        """
        corners = product(*(span.ends for span in self.fields.values()))
        for corner in islice(corners, MOST_CORNERS):
            sampled = dict(zip(self.fields, corner, strict=True))
            try:
                with_fields(recipe, sampled)
            except ValidationError as error:
                first = error.errors()[0]
                message = first["msg"].removeprefix("Value error, ")
                fields = ", ".join(f"{key}: {value}" for key, value in sampled.items())
                raise ValueError(f"the search may come to {{{fields}}}, which is no recipe: {message}") from error

    def values_of(self, recipe: Recipe) -> Fields | None:
        """The values of the experiment's own recipe, where they are in the searched space."""
        values: Fields = {name: getattr(recipe, name) for name in self.fields}
        return values if all(span.contains(values[name]) for name, span in self.fields.items()) else None

    def draw_sample(self, number: int, known: Collection[str] = ()) -> Fields:
        """Sample ``number`` of the seeded generator, or the next that is not among ``known`` (canonical JSON).

        Random, and yet evenly spread: a Kronecker sequence from a random start, of which every stretch covers the
        space (Bousquet et al. 2017, Critical Hyper-Parameters, arXiv:1706.03200). Independent draws leave gaps where
        there are only few. More samples leave the earlier ones as they were.
        """
        generator = random.Random(stream_seed(self.seeds[0], "tune"))  # noqa: S311 (no secret)
        starts = [generator.random() for _ in self.fields]
        sampled: Fields = {}
        for place in count(number):
            sampled = {
                name: span.value_at((start + place * STEPS[axis]) % 1.0)
                for axis, ((name, span), start) in enumerate(zip(self.fields.items(), starts, strict=True))
            }
            if canonical(sampled) not in known or place - number >= MOST_PASSED:
                break
        return sampled

    def initial_samples(self, recipe: Recipe) -> list[Fields]:
        """The samples that need no results: all of ``random``; of ``optuna`` the first.

        The experiment's own recipe comes first where it is in the searched space: the search can then only improve
        on it, and no variant is tuned at the cost of another.
        """
        found: list[Fields] = []
        own = self.values_of(recipe)
        if own is not None:
            found.append(own)
        for number in range(len(found), self.samples if self.searcher == "random" else 1):
            found.append(self.draw_sample(number, {canonical(fields) for fields in found}))
        return found


class Sample(Spec):
    """One recipe that the search tries for one variant."""

    variant: Line
    number: Annotated[int, Field(ge=0)]
    fields: dict[Line, Value]


def with_fields(recipe: Recipe, fields: Mapping[str, Value]) -> Recipe:
    """A recipe with some of its fields replaced, validated as if it were written so."""
    return Recipe.model_validate({**recipe.model_dump(), **fields})
