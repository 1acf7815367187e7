"""A trained network as an MLflow model. Only MLflow handles the network here; this module does not import torch."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.specs import ExternalNetwork
from harness.tracking.history import History
from harness.tracking.metrics import EVALUATION_PREFIXES
from harness.tracking.mlflow_record.artifacts import copy_files, locate_artifacts
from harness.tracking.mlflow_record.publishing.entities import build_metrics, flatten_params
from harness.tracking.mlflow_record.store.client import create_client
from harness.tracking.mlflow_record.tags import MODEL_TAG


@dataclass(frozen=True)
class TrainedNetwork:
    """A trial's trained network with what is needed to apply it.

    Attributes:
        network: A torch module on the CPU, in evaluation mode.
        images: Normalised images, float32 of shape (N, C, H, W), as an example of its input.
        scale: One value per channel; input = pixel (0 to 255) * scale + shift.
        shift: One value per channel.
    """

    network: Any
    images: NDArray[np.float32]
    scale: list[float]
    shift: list[float]


def log_model(uri: str, run_id: str, history: History, trained: TrainedNetwork) -> None:
    """Log a trial's network with its last errors, through a client alone.

    MLflow's shorter way would change the tracking address and the active run of this process.

    Raises:
        Exception: Whatever MLflow raises; the model is then marked as failed.
    """
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model

    trial, client = history.trial, create_client(uri)
    run, last = client.get_run(run_id), history.epochs[-1]
    logged = client.create_logged_model(
        run.info.experiment_id,
        # MLflow accepts no dots, slashes, colons, quotes and percent signs in a name.
        name=re.sub(r"[/:.%\"']", "-", trial.label),
        source_run_id=run_id,
        params=flatten_params(trial),
        model_type=trial.variant.family or trial.variant.name,
        tags={key: run.data.tags[key] for key in ("variant", "depth", "shortcut", "seed") if key in run.data.tags},
    )
    try:
        with TemporaryDirectory(prefix="depthbench-model-") as folder:
            path = Path(folder) / "model"
            model = Model(
                artifact_path=logged.artifact_location,
                model_uuid=logged.model_id,
                run_id=run_id,
                model_id=logged.model_id,
            )
            _save_model(trained, model, path, history)
            target = locate_artifacts(uri, logged.artifact_location)
            if target is None:
                client.log_model_artifacts(logged.model_id, str(path))
            else:
                copy_files(path, target)
    except BaseException:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, last.epoch)])
    # The run holds these values already. MLflow stores them once, and shows them beside the model as well.
    evaluated = {key: value for key, value in last.metrics.items() if key.startswith(EVALUATION_PREFIXES)}
    metrics = [
        Metric(m.key, m.value, m.timestamp, m.step, logged.model_id, trial.data.name, trial.data.fingerprint)
        for m in build_metrics(last.epoch, last.at, evaluated)
    ]
    client.log_batch(run_id, metrics=metrics)
    client.set_tag(run_id, MODEL_TAG, f"models:/{logged.model_id}")


def _save_model(trained: TrainedNetwork, model: Any, path: Path, history: History) -> None:
    """Write the network as MLflow keeps models, with signature and input example."""
    import mlflow.pytorch
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema, TensorSpec

    # MLflow warns of pickles. A pickle is intended: it restores the network with its layers, for users who trust the
    # store.
    logging.getLogger("mlflow.pytorch").setLevel(logging.ERROR)
    trial, float32 = history.trial, np.dtype("float32")
    packages = ["torch"] + ([trial.variant.kind] if isinstance(trial.variant, ExternalNetwork) else [])
    requirements = [f"{name}=={number}" for name in packages if (number := _installed_version(name))]
    # Older versions of MLflow have no such parameter, and always pickle.
    has_format = "serialization_format" in signature(mlflow.pytorch.save_model).parameters
    mlflow.pytorch.save_model(
        trained.network,
        str(path),
        mlflow_model=model,
        signature=ModelSignature(
            inputs=Schema([TensorSpec(float32, (-1, *trained.images.shape[1:]))]),
            outputs=Schema([TensorSpec(float32, (-1, trial.variant.classes))]),
        ),
        input_example=trained.images,
        pip_requirements=[*requirements, f"depthbench=={_installed_version('depthbench') or '0'}"],
        metadata={"trial": trial.id, "scale": trained.scale, "shift": trained.shift},
        **({"serialization_format": "pickle"} if has_format else {}),
    )


def _installed_version(package: str) -> str:
    """Return a package's version without the part that names a build; empty where it is not installed."""
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return ""
