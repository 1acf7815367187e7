"""Descriptions of data, recipe, execution settings and conditions as text fields, and how two descriptions differ.

Two results are comparable if these descriptions are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from harness.reporting.formatting import ABSENT
from harness.specs import ResolvedExperiment
from harness.specs.measured_cost import CONDITIONS
from harness.specs.network.any_variant import AnyVariant
from harness.specs.replication.assign_streams import varied_sources
from harness.specs.replication.replicate import Replication

Description = Mapping[str, str]
"""Plain text by field. The order of the fields does not depend on their values."""
EXECUTION_FIELDS = ("memory_format", "deterministic", "compile")
"""Fields of an experiment's execution settings that change how long a trial takes."""
NOT_RECORDED = "not recorded"


def describe_data(study: ResolvedExperiment) -> dict[str, str]:
    """Return the data set, its split and its sizes; errors are comparable only if all of these are equal."""
    spec, info = study.data_spec, study.data
    image = f"{info.channels} × {info.size[0]} × {info.size[1]}"
    description = {"data": info.name, "fingerprint": info.fingerprint, "classes": str(info.classes), "image": image}
    description |= {f"{part} images": f"{getattr(info, part):,}" for part in ("train", "val", "test")}
    fields = spec.model_dump(exclude={"root", "fingerprint", "name", "layout", "label"})
    description |= {f"data.{key}": _to_text(value) for key, value in fields.items()}
    is_default = study.experiment.variance is None and study.experiment.replicate == Replication()
    return description if is_default else description | {"seeds vary": ", ".join(varied_sources(study.experiment))}


def describe_recipe(study: ResolvedExperiment) -> dict[str, str]:
    """Return every field of the recipe."""
    return {f"recipe.{key}": _to_text(value) for key, value in study.experiment.recipe.model_dump().items()}


def describe_execution(study: ResolvedExperiment) -> dict[str, str]:
    """Return the execution settings that change how long a trial takes."""
    execution = study.experiment.execution
    return {f"execution.{key}": _to_text(getattr(execution, key)) for key in EXECUTION_FIELDS}


def describe_conditions(trials: pd.DataFrame) -> dict[str, str]:
    """Return hardware, software and settings of some trials; unequal values are joined by semicolons."""
    return {key: "; ".join(list_distinct(trials[key])) for key in CONDITIONS}


def describe_variant(variant: AnyVariant) -> dict[str, str]:
    """Return every field of a network's identity."""
    return {str(key): _to_text(value) for key, value in variant.identity().items()}


def _to_text(value: object) -> str:
    """Return a field of a spec as text; unequal values give unequal texts."""
    return ", ".join(map(_to_text, value)) if isinstance(value, list | tuple) else str(value)


def list_distinct(column: pd.Series) -> list[str]:
    """Return each value of a column once, in the order of the trials; an empty value is ``not recorded``."""
    values = column.astype("object").where(column.notna(), "").astype(str).replace("", NOT_RECORDED)
    return list(dict.fromkeys(values))


def find_differences(descriptions: Sequence[Description]) -> dict[str, list[str]]:
    """Return the fields that are not equal in all descriptions, with the value in each.

    A description without the field has a dash as its value.
    """
    fields = dict.fromkeys(field for description in descriptions for field in description)
    table = {field: [description.get(field, ABSENT) for description in descriptions] for field in fields}
    return {field: values for field, values in table.items() if len(set(values)) > 1}


def describe_differences(old: Description, new: Description) -> str:
    """Return ``field: a → b`` for every field that differs, joined by commas; empty if none differs."""
    return ", ".join(f"{field}: {a} → {b}" for field, (a, b) in find_differences([old, new]).items())
