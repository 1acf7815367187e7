"""All checks before a run. They end with its first plan, and create nothing."""

from __future__ import annotations

from dataclasses import dataclass

from harness.execution.optional_outputs import require_optional_outputs
from harness.experiments.cluster_job import require_lasting_storage, require_same_version
from harness.experiments.planning.plan import Plan, plan_experiment
from harness.experiments.search import require_searcher
from harness.io.atomic_files import require_writable
from harness.io.output_directory import require_report_directory
from harness.io.storage import Folder
from harness.launchers.base import Notify
from harness.launchers.resources import require_local_resources
from harness.settings import Settings
from harness.specs import ResolvedExperiment
from harness.text import escape_rich
from harness.tracking.mlflow_record.store.patience import Patience, read_wait_seconds
from harness.tracking.record import Record, has_mlflow, open_checkpoint_folder, open_record


@dataclass(frozen=True)
class Preflight:
    """The results of the checks before a run; the run uses them.

    Attributes:
        record: The open record. The experiment may not exist in it yet.
        storage: The folder of all checkpoints.
        plan: The first plan.
    """

    record: Record
    storage: Folder
    plan: Plan


def preflight(study: ResolvedExperiment, settings: Settings, force: bool, notify: Notify) -> Preflight:
    """Check that an experiment can run here and record its trials, open its record, and make its first plan.

    Args:
        force: Whether to plan recorded trials again.
        notify: Receives a message if a tracking store does not answer at once.

    Raises:
        HarnessError: Something prevents the run. Nothing has been created then.
    """
    experiment = study.experiment
    require_same_version()
    require_lasting_storage(settings)
    require_writable(settings.home, "--home")
    require_report_directory(settings.reports / experiment.name)
    require_optional_outputs(experiment.execution, has_mlflow(settings))
    if settings.address is None:
        require_local_resources(experiment.resources, experiment.recipe.precision)
    require_searcher(experiment.tune, settings.launcher)
    storage = open_checkpoint_folder(settings)
    storage.require_writable()
    patience = Patience(read_wait_seconds(), lambda text: notify(escape_rich(text)))
    record = open_record(settings, experiment.name, patience=patience)
    # Planning reads every checkpoint and the record, so a damaged one is found before anything is created.
    return Preflight(record, storage, plan_experiment(study, record, storage, settings, force))
