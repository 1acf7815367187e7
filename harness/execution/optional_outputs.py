"""Optional outputs of a trial in MLflow: its trained network, and the load of the machine.

They are no part of the result. If one of them fails, the trial keeps a note and is otherwise unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.execution.trial_group import TrialTask
from harness.specs import Execution
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History
from harness.tracking.mlflow_record.publishing.model_artifacts import TrainedNetwork, log_model
from harness.tracking.mlflow_record.publishing.system_metrics import start_sampling
from harness.tracking.mlflow_record.store.store_errors import redact_message

if TYPE_CHECKING:
    from harness.training.trainer import Trainer

AddNote = Callable[[str], None]
EXAMPLE_IMAGES = 2
"""Number of images in a model's input example."""


def require_optional_outputs(execution: Execution, has_store: bool) -> None:
    """Check, before anything starts, that the optional outputs of an experiment can be recorded.

    Args:
        has_store: Whether the record is kept in an MLflow store.

    Raises:
        HarnessError: An output is requested and there is no store for it.
    """
    for field, output in (("log_model", "models"), ("system_metrics", "system metrics")):
        if getattr(execution, field) and not has_store:
            raise HarnessError(
                f"{output} are kept in MLflow, which --tracking-uri none switches off",
                where=f"execution.{field}",
                remedy=f"Leave --tracking-uri none out, or use --set execution.{field}=false.",
            )


@contextmanager
def sample_system(task: TrialTask, started: int, add_note: AddNote) -> Iterator[None]:
    """Record ``system/...`` metrics of the whole machine while the block runs, if the experiment asks for them.

    Args:
        started: When the trial's first attempt began, in milliseconds since 1970.
    """
    monitor = None
    if task.execution.system_metrics and task.tracking_uri:
        try:
            monitor = start_sampling(task.tracking_uri, task.run_id, task.new_run, started)
        except Exception as error:
            add_note(f"system metrics are not sampled: {redact_message(error)}")
    try:
        yield
    finally:
        if monitor is not None:
            monitor.finish()


def log_network(task: TrialTask, run_id: str, trainer: Trainer, history: History, add_note: AddNote) -> None:
    """Log the trained network as an MLflow model, if the experiment asks for it. A diverged trial has no model.

    Args:
        run_id: The trial's run.
    """
    # The trainer is not restored for a trial that an earlier process has completed.
    is_trained = trainer.epochs_done == history.last_epoch
    if not (task.execution.log_model and task.tracking_uri and is_trained and history.outcome is TrialStatus.FINISHED):
        return
    try:
        log_model(task.tracking_uri, run_id, history, _copy_network(trainer))
    except Exception as error:
        # A failure of any kind must not cost the trial, which is trained and recorded.
        add_note(f"its model could not be logged: {type(error).__name__}: {redact_message(error)}")


def _copy_network(trainer: Trainer) -> TrainedNetwork:
    """Return a copy of the network on the CPU, because the trainer's own may be compiled and is on its device."""
    from harness.models import build

    network = build(trainer.trial.variant)
    network.load_state_dict(trainer.network.state_dict())
    test = trainer.splits["test"]
    images = next(test.evaluation_batches())[0][:EXAMPLE_IMAGES].cpu().contiguous()
    scale, shift = (values.flatten().tolist() for values in (test.scale, test.shift))
    return TrainedNetwork(network.eval(), images.numpy(), scale, shift)
