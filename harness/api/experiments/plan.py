"""Plan an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.api.experiments.forecast import plan_stage
from harness.settings import Settings
from harness.specs import ResolvedExperiment
from harness.tracking.record import has_mlflow, open_checkpoint_folder, open_record

if TYPE_CHECKING:
    from harness.experiments.planning.plan import Plan


def plan(study: ResolvedExperiment, settings: Settings) -> Plan:
    """Look up every trial of an experiment and estimate the cost of those that are left. Writes nothing.

    Raises:
        HarnessError: The search or an optional output cannot run here, or the record cannot be read.
    """
    from harness.execution.optional_outputs import require_optional_outputs
    from harness.experiments.planning.plan import plan_experiment
    from harness.experiments.search import require_searcher

    require_searcher(study.experiment.tune, settings.launcher)
    require_optional_outputs(study.experiment.execution, has_mlflow(settings))
    record = open_record(settings, study.experiment.name, create=False)
    planned = plan_experiment(study, record, open_checkpoint_folder(settings), settings)
    return planned if study.experiment.decide is None else plan_stage(planned, record)
