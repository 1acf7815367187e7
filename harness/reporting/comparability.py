"""What is equal and what is not between results: data, recipe, settings of execution, and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from harness.specs import ResolvedExperiment
from harness.specs.measured_cost import CONDITIONS
from harness.specs.network.any_variant import AnyVariant

Description = Mapping[str, str]
"""Plain text by field, in an order that does not depend on the values."""
EXECUTION_FIELDS = ("memory_format", "deterministic", "compile")
"""Fields of an experiment's execution that times depend on."""
NOT_RECORDED = "not recorded"


def describe_data(study: ResolvedExperiment) -> dict[str, str]:
    """Data set, split and sizes: what has to be equal for errors to be compared at all."""
    data, info = study.experiment.data, study.data
    fields = data.model_dump(exclude={"root", "fingerprint", "name"})
    size = f"{info.channels} × {info.size[0]} × {info.size[1]}"
    facts = {"data": info.name, "fingerprint": info.fingerprint, "classes": str(info.classes), "image": size}
    facts |= {f"{name} images": f"{getattr(info, name):,}" for name in ("train", "val", "test")}
    return facts | {f"data.{key}": _exact(value) for key, value in fields.items()}


def describe_recipe(study: ResolvedExperiment) -> dict[str, str]:
    """Every field of the recipe."""
    return {f"recipe.{key}": _exact(value) for key, value in study.experiment.recipe.model_dump().items()}


def describe_execution(study: ResolvedExperiment) -> dict[str, str]:
    """The settings of execution that times depend on."""
    execution = study.experiment.execution
    return {f"execution.{key}": _exact(getattr(execution, key)) for key in EXECUTION_FIELDS}


def describe_conditions(rows: pd.DataFrame) -> dict[str, str]:
    """Hardware, software and settings of those trials; what differs among them is joined by semicolons."""
    return {key: "; ".join(list_distinct(rows[key])) for key in CONDITIONS}


def describe_variant(variant: AnyVariant) -> dict[str, str]:
    """Everything about a network that is part of its identity."""
    return {str(key): _exact(value) for key, value in variant.identity().items()}


def _exact(value: object) -> str:
    """A field of a spec as plain text, in which different values are different."""
    return ", ".join(map(_exact, value)) if isinstance(value, list | tuple) else str(value)


def list_distinct(column: pd.Series) -> list[str]:
    """Different values in the order of the trials; empty ones are named as not recorded."""
    values = column.astype("object").where(column.notna(), "").astype(str).replace("", NOT_RECORDED)
    return list(dict.fromkeys(values))


def find_differences(facts: Sequence[Description]) -> dict[str, list[str]]:
    """The fields in which not all agree, with the value of each; a field that one lacks is a dash there."""
    fields = dict.fromkeys(field for each in facts for field in each)
    values = {field: [each.get(field, "–") for each in facts] for field in fields}
    return {field: found for field, found in values.items() if len(set(found)) > 1}


def describe_differences(old: Description, new: Description) -> str:
    """``field: a → b``, for every field that differs; empty where none does."""
    return ", ".join(f"{field}: {a} → {b}" for field, (a, b) in find_differences([old, new]).items())
