"""What a trial leaves in MLflow beside its history where that was asked for: its network, and the machine's load.

None of it is part of the result: where it fails, the trial keeps a note and is what it would have been without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.specs import Execution
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History
from harness.tracking.mlflow_record.client import redacted_message
from harness.tracking.mlflow_record.model_artifacts import Trained, log_model
from harness.tracking.mlflow_record.system_metrics import start_sampling

if TYPE_CHECKING:
    from harness.execution.runner import TrialGroup
    from harness.training import Trainer

Note = Callable[[str], None]
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
def sample_system(job: TrialGroup, note: Note) -> Iterator[None]:
    """MLflow's own sampler beside a trial, where it was asked for: ``system/...`` metrics of the whole machine."""
    monitor = None
    if job.execution.system_metrics and job.uri:
        try:
            monitor = start_sampling(job.uri, job.run_id)
        except Exception as error:
            note(f"system metrics are not sampled: {redacted_message(error)}")
    try:
        yield
    finally:
        if monitor is not None:
            monitor.finish()


def log_network(job: TrialGroup, training: Trainer, history: History, note: Note) -> None:
    """Log the trained network as an MLflow model, where it was asked for; one that diverged is none."""
    # What an earlier process had trained to its end was not put into this network.
    here = training.epochs_done == history.last_epoch
    if not (job.execution.log_model and job.uri and here and history.outcome is TrialStatus.FINISHED):
        return
    try:
        log_model(job.uri, job.run_id, history, _trained(training))
    except Exception as error:
        # Whatever it was: the trial is trained and recorded.
        note(f"its model could not be logged: {type(error).__name__}: {redacted_message(error)}")


def _trained(training: Trainer) -> Trained:
    """A copy of the network: the trial's own may be compiled, and lies on its device."""
    from harness.models import build

    network = build(training.trial.variant)
    network.load_state_dict(training.network.state_dict())
    test = training.splits["test"]
    images = next(test.in_order())[0][:EXAMPLES].cpu().contiguous()
    scale, shift = (values.flatten().tolist() for values in (test.scale, test.shift))
    return Trained(network.eval(), images.numpy(), scale, shift)
