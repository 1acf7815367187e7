"""What a trial leaves in MLflow beside its history where that was asked for: its network, and the machine's load.

None of it is part of the result: where it fails, the trial keeps a note and is what it would have been without.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.specs import Execution, Foreign
from harness.tracking.client import connect, first_line
from harness.tracking.history import History
from harness.tracking.outbox import flat_params, timed
from harness.tracking.reading import MODEL_TAG

if TYPE_CHECKING:
    from harness.launching.job import Job
    from harness.training import Training

Note = Callable[[str], None]
SAMPLE_SECONDS = 5.0
"""Between two samples of the machine's load; MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL sets it otherwise."""
EXAMPLES = 2
"""Images in a model's input example."""


def require_extras(execution: Execution, store: bool, launcher: str) -> None:
    """Refuse what could not be recorded here, before anything is started.

    Args:
        store: Whether there is an MLflow store.
        launcher: Ray's workers bring psutil along; a trial in this process needs it installed.

    Raises:
        HarnessError: It is so.
    """
    for field, what in (("log_model", "models"), ("system_metrics", "system metrics")):
        if getattr(execution, field) and not store:
            raise HarnessError(
                f"{what} are kept in MLflow, and with --tracking-uri none there is none",
                where=f"execution.{field}",
                remedy=f"Leave --tracking-uri none out, or --set execution.{field}=false.",
            )
    if execution.system_metrics and launcher == "inline" and find_spec("psutil") is None:
        raise HarnessError(
            "MLflow samples system metrics with psutil, which is not installed",
            where="execution.system_metrics",
            remedy="pip install 'depthbench[system]', or --set execution.system_metrics=false.",
        )


@contextmanager
def sampled(job: Job, note: Note) -> Iterator[None]:
    """MLflow's own sampler beside a trial, where it was asked for: ``system/...`` metrics of the whole machine."""
    monitor: Any = None
    if job.execution.system_metrics and job.uri:
        logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)
        try:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            # It ends itself where the run is not under way, as a run is only once it has published something.
            connect(job.uri).update_run(job.run_id, status="RUNNING")
            monitor = SystemMetricsMonitor(
                job.run_id, sampling_interval=SAMPLE_SECONDS, resume_logging=True, tracking_uri=job.uri
            )
            monitor.start()
        except Exception as error:
            note(f"system metrics are not sampled: {first_line(error)}")
    try:
        yield
    finally:
        if monitor is not None:
            monitor.finish()


def leave_model(job: Job, training: Training, history: History, note: Note) -> None:
    """Log the trained network as an MLflow model, where it was asked for; one that diverged is none."""
    # What an earlier process had trained to its end was not put into this network.
    here = training.epochs_done == history.last_epoch
    if not (job.execution.log_model and job.uri and here and history.outcome == "finished"):
        return
    try:
        _log_model(job, training, history)
    except Exception as error:
        # Whatever it was: the trial is trained and recorded.
        note(f"its model could not be logged: {type(error).__name__}: {first_line(error)}")


def _log_model(job: Job, training: Training, history: History) -> None:
    """Through a client alone: MLflow's shorter way needs the process's own tracking address and active run."""
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model

    trial, client = job.trial, connect(job.uri)
    run, last = client.get_run(job.run_id), history.epochs[-1]
    made = client.create_logged_model(
        run.info.experiment_id,
        # MLflow takes no dots in it, nor slashes, colons, quotes and per cents.
        name=re.sub(r"[/:.%\"']", "-", trial.label),
        source_run_id=job.run_id,
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
                run_id=job.run_id,
                model_id=made.model_id,
            )
            _save(training, model, path, history)
            client.log_model_artifacts(made.model_id, str(path))
    except BaseException:
        client.finalize_logged_model(made.model_id, "FAILED")
        raise
    client.finalize_logged_model(made.model_id, "READY")
    client.log_outputs(job.run_id, [LoggedModelOutput(made.model_id, last.epoch)])
    # The run holds them already: MLflow stores them once, and shows them beside the model.
    errors = {key: value for key, value in last.metrics.items() if key.startswith(("train/", "val/", "test/"))}
    metrics = [
        Metric(m.key, m.value, m.timestamp, m.step, made.model_id, trial.data.name, trial.data.fingerprint)
        for m in timed(last.epoch, last.at, errors)
    ]
    client.log_batch(job.run_id, metrics=metrics)
    client.set_tag(job.run_id, MODEL_TAG, f"models:/{made.model_id}")


def _save(training: Training, model: Any, path: Path, history: History) -> None:
    """Write the network as MLflow keeps models: a copy on the CPU, in evaluation mode, with signature and example."""
    import mlflow.pytorch
    import numpy as np
    import torch
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from harness.models import build

    # It warns of pickles. One is meant: the network itself comes back, with its layers, for whoever trusts the store.
    logging.getLogger("mlflow.pytorch").setLevel(logging.ERROR)
    trial, single = history.trial, np.dtype("float32")
    network = build(trial.variant)
    network.load_state_dict(training.network.state_dict())
    network.eval()
    test = training.splits["test"]
    images = next(test.in_order())[0][:EXAMPLES].cpu().contiguous()
    names = ["torch"] + ([trial.variant.kind] if isinstance(trial.variant, Foreign) else [])
    needed = [f"{name}=={found}" for name in names if (found := _version(name))]
    # Older versions of MLflow know no other format.
    known = signature(mlflow.pytorch.save_model).parameters
    options = {"serialization_format": "pickle"} if "serialization_format" in known else {}
    mlflow.pytorch.save_model(
        network,
        str(path),
        mlflow_model=model,
        signature=ModelSignature(
            inputs=Schema([TensorSpec(single, (-1, *images.shape[1:]))]),
            outputs=Schema([TensorSpec(single, (-1, trial.variant.classes))]),
        ),
        input_example=images.numpy(),
        pip_requirements=[*needed, f"depthbench=={_version('depthbench') or '0'}"],
        metadata={
            "trial": trial.id,
            # Input = pixel (0 to 255) * scale + shift, by channel.
            "scale": torch.flatten(test.scale).tolist(),
            "shift": torch.flatten(test.shift).tolist(),
        },
        **options,
    )


def _version(package: str) -> str:
    """Without the part that names a build; empty where it is not installed."""
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return ""
