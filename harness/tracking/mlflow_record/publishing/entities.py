"""Parameters, metrics and data sets in the form in which MLflow takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.specs.identity import Spec

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param

METRICS_PER_BATCH = 1000
PARAMS_PER_BATCH = 100
"""The most that MLflow takes in one request."""
LONGEST_PARAM = 6000
"""Characters that MLflow takes as the value of a parameter."""


def flatten_params(spec: Spec, prefix: str = "") -> dict[str, str]:
    """Return a spec's fields as parameters such as ``recipe.lr: 0.05``, also those of specs inside it.

    The data set's directory, ``root``, is left out, because it differs from machine to machine.
    """
    params: dict[str, str] = {}
    for field in type(spec).model_fields:
        value = getattr(spec, field)
        if isinstance(value, Spec):
            params |= flatten_params(value, f"{prefix}{field}.")
        elif value is not None and field != "root":
            params[f"{prefix}{field}"] = "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return params


def build_params(params: Mapping[str, str]) -> list[Param]:
    """Return parameters as MLflow takes them, each value cut to the length that it allows."""
    from mlflow.entities import Param

    return [Param(key, value[:LONGEST_PARAM]) for key, value in params.items()]


def build_metrics(step: int, at: int, metrics: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the metrics of one step as MLflow takes them; a missing value becomes NaN.

    Args:
        at: When they were measured, in milliseconds since 1970.
    """
    from mlflow.entities import Metric

    for key, value in metrics.items():
        yield Metric(key, float("nan") if value is None else float(value), at, step)


def build_dataset_input(name: str, fingerprint: str | None) -> DatasetInput:
    """Return a data set as MLflow lists it among the inputs of a run.

    Args:
        fingerprint: The hash of its content.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name, fingerprint or "unknown", "local", json.dumps({"name": name}))
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
