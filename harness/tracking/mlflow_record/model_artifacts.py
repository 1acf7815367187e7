"""A trained network as an MLflow model. It is handed over as it is: nothing here knows torch."""

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
from harness.tracking.mlflow_record.client import connect
from harness.tracking.mlflow_record.publisher import flat_params, timed
from harness.tracking.mlflow_record.reader import MODEL_TAG


@dataclass(frozen=True)
class Trained:
    """What a trial has trained.

    Attributes:
        network: A torch module on the CPU, in evaluation mode.
        images: Normalised, float32 (N, C, H, W), for the input example.
        scale: By channel; input = pixel (0 to 255) * scale + shift.
        shift: By channel.
    """

    network: Any
    images: NDArray[np.float32]
    scale: list[float]
    shift: list[float]


def log_model(uri: str, run_id: str, history: History, trained: Trained) -> None:
    """Log a trial's network with its last errors, through a client alone.

    MLflow's shorter way needs the process's own tracking address and active run.

    Raises:
        Exception: Whatever MLflow raises; the model is then marked as failed.
    """
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model

    trial, client = history.trial, connect(uri)
    run, last = client.get_run(run_id), history.epochs[-1]
    made = client.create_logged_model(
        run.info.experiment_id,
        # MLflow takes no dots in it, nor slashes, colons, quotes and per cents.
        name=re.sub(r"[/:.%\"']", "-", trial.label),
        source_run_id=run_id,
        params=flat_params(trial),
        model_type=trial.variant.family or trial.variant.name,
        tags={key: run.data.tags[key] for key in ("variant", "depth", "shortcut", "seed") if key in run.data.tags},
    )
    try:
        with TemporaryDirectory(prefix="depthbench-model-") as folder:
            path = Path(folder) / "model"
            model = Model(
                artifact_path=made.artifact_location,
                model_uuid=made.model_id,
                run_id=run_id,
                model_id=made.model_id,
            )
            _save(trained, model, path, history)
            client.log_model_artifacts(made.model_id, str(path))
    except BaseException:
        client.finalize_logged_model(made.model_id, "FAILED")
        raise
    client.finalize_logged_model(made.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(made.model_id, last.epoch)])
    # The run holds them already: MLflow stores them once, and shows them beside the model.
    errors = {key: value for key, value in last.metrics.items() if key.startswith(("train/", "val/", "test/"))}
    metrics = [
        Metric(m.key, m.value, m.timestamp, m.step, made.model_id, trial.data.name, trial.data.fingerprint)
        for m in timed(last.epoch, last.at, errors)
    ]
    client.log_batch(run_id, metrics=metrics)
    client.set_tag(run_id, MODEL_TAG, f"models:/{made.model_id}")


def _save(trained: Trained, model: Any, path: Path, history: History) -> None:
    """Write the network as MLflow keeps models, with signature and example."""
    import mlflow.pytorch
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema, TensorSpec

    # It warns of pickles. One is meant: the network itself comes back, with its layers, for whoever trusts the store.
    logging.getLogger("mlflow.pytorch").setLevel(logging.ERROR)
    trial, single = history.trial, np.dtype("float32")
    names = ["torch"] + ([trial.variant.kind] if isinstance(trial.variant, ExternalNetwork) else [])
    needed = [f"{name}=={found}" for name in names if (found := _version(name))]
    # Older versions of MLflow know no other format.
    known = signature(mlflow.pytorch.save_model).parameters
    options = {"serialization_format": "pickle"} if "serialization_format" in known else {}
    mlflow.pytorch.save_model(
        trained.network,
        str(path),
        mlflow_model=model,
        signature=ModelSignature(
            inputs=Schema([TensorSpec(single, (-1, *trained.images.shape[1:]))]),
            outputs=Schema([TensorSpec(single, (-1, trial.variant.classes))]),
        ),
        input_example=trained.images,
        pip_requirements=[*needed, f"depthbench=={_version('depthbench') or '0'}"],
        metadata={"trial": trial.id, "scale": trained.scale, "shift": trained.shift},
        **options,
    )


def _version(package: str) -> str:
    """Without the part that names a build; empty where it is not installed."""
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return ""
