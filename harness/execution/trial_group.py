"""The data that a launcher starts: a trial group, with a task for each of its trials."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.io.storage import Folder
from harness.specs import Execution, Resources, Trial
from harness.tracking.mlflow_record.run_creation import NewRun


@dataclass(frozen=True)
class TrialTask:
    """One trial to train, and everything that a worker needs to train it.

    Attributes:
        folder: The folder of the trial's checkpoints and attempts.
        tracking_uri: The MLflow store; empty if the record is kept without MLflow. It may contain a password.
        run_id: The trial's MLflow run; empty if it has none yet.
        launch: Identifies the run of the driver. All attempts that this run starts share it.
        shares_device: Whether other trials use the device at the same time. The trial's times are then no measurement.
        image_size: Height and width of the images in pixels.
        revision: The project's git revision.
        search_metric: The metric by which a search compares its trials; empty if the trial belongs to no search.
        new_run: The MLflow run that the trial's process creates when it begins, if ``run_id`` is empty.
        storage_mark: The mark of the storage that holds ``folder``. A worker on another host compares it with the mark
            that it sees; empty on one machine.
    """

    trial: Trial
    execution: Execution
    resources: Resources
    folder: Folder
    tracking_uri: str = field(repr=False)
    run_id: str
    launch: str
    shares_device: bool
    image_size: tuple[int, int]
    revision: str
    search_metric: str = ""
    storage_mark: str = ""
    new_run: NewRun | None = None


@dataclass(frozen=True)
class TrialGroup:
    """The unit that a launcher starts: one trial, or several seeds of one variant trained as a seed ensemble.

    Attributes:
        tasks: The trials to train, with at least one.
        ensemble_seeds: All seeds of the ensemble, in the order of its network; empty for a trial that trains alone.
            A seed without a task trains along and is not recorded: the ensemble keeps its shape, and so its rounding,
            when some of its trials are complete before the others.
    """

    tasks: tuple[TrialTask, ...]
    ensemble_seeds: tuple[int, ...] = ()

    def with_storage_mark(self, mark: str) -> TrialGroup:
        """Return the group for workers that must find this mark in the storage."""
        return replace(self, tasks=tuple(replace(task, storage_mark=mark) for task in self.tasks))
