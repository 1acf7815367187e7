"""Train one trial again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.trials.find import find_trial, lock_experiments
from harness.errors import HarnessError
from harness.io.atomic_files import require_writable
from harness.settings import Settings
from harness.specs import require_variant_without_code
from harness.tracking.mlflow_record.store.patience import patience_with_warnings
from harness.tracking.record import open_checkpoint_folder

if TYPE_CHECKING:
    from rich.console import Console

    from harness.specs import ResolvedExperiment, Trial
    from harness.trials.index import TrialIndex
    from harness.trials.rerun import DebugLauncher, Rerun
    from harness.trials.summary import TrialSummary


def rerun(
    prefix: str,
    settings: Settings,
    console: Console,
    debug_launcher: DebugLauncher | None = None,
    data_root: str | Path | None = None,
) -> Rerun:
    """Train a trial again. The recorded training stays in the record until the new one is complete, and is kept then.

    A trial that is not trained to its end is resumed from its checkpoint, as ``harness run`` would resume it.

    Args:
        prefix: First digits of the trial's id.
        debug_launcher: Trains the trial in this process and keeps its exception; None: the launcher of the settings.
        data_root: The place of the data, which the record does not hold.

    Raises:
        HarnessError: The trial is unknown, not of the experiment's current settings, or being trained; or its data has
            changed.
        Interrupted: A signal ended the rerun. Its checkpoint is kept.
    """
    from harness.experiments.run_context import RunContext
    from harness.launchers.resources import require_local_resources
    from harness.launchers.stop_request import StopRequest
    from harness.trials.rerun import rerun_trial

    trial, index = find_trial(prefix, settings, patience_with_warnings())
    study, spec = _locate_data(trial, index, data_root)
    if settings.no_code:
        require_variant_without_code(spec.variant, f"trial {spec.id}, {spec.variant.name}, factory")
    storage = open_checkpoint_folder(settings)
    require_writable(settings.home, "--home")
    storage.require_writable()
    if settings.address is None:
        require_local_resources(study.experiment.resources, spec.recipe.precision)
    stop = StopRequest()
    with lock_experiments(index.experiments_of(trial.id), settings, f"harness rerun {trial.id}") as locks:
        # Before the locks were held, another process may have trained the trial.
        trial, index = find_trial(trial.id, settings, patience_with_warnings())
        trial.require_idle()
        experiment = trial.experiments[0]
        context = RunContext(
            index.records[experiment],
            storage,
            settings,
            console,
            stop,
            locks[experiment],
            is_whole_experiment=False,
            inline_launcher=debug_launcher,
        )
        result = rerun_trial(index.with_recorded_history(trial), spec, study, context)
    stop.raise_if_interrupted()
    return result


def _locate_data(
    trial: TrialSummary, index: TrialIndex, data_root: str | Path | None
) -> tuple[ResolvedExperiment, Trial]:
    """Return a trial's experiment and spec with the place of the data, whose content is checked.

    Raises:
        HarnessError: The experiment was last run with other settings, or the data is missing or has changed.
    """
    from harness.data.description import describe_data

    if not trial.is_current or trial.trial is None or not trial.experiments:
        raise HarnessError(
            f"the experiment of {trial.label} was last run with other settings, which do not contain this trial",
            where=f"trial {trial.id}",
            remedy="Run it with the trial's settings, which `harness show` lists: harness run NAME --set ...",
        )
    study = index.studies[trial.experiments[0]]
    last_root = trial.history.trial.data.root if trial.history is not None else None
    root = str(data_root) if data_root is not None else last_root
    _, data = describe_data(trial.trial.data.model_copy(update={"root": root}))
    index_of_data = study.views.index(study.view_of(trial.trial))
    specs = [
        spec.model_copy(update={"root": data.root}) if number == index_of_data else spec
        for number, spec in enumerate(study.experiment.data_sets)
    ]
    located = specs[0] if len(specs) == 1 else tuple(specs)
    study = study.replace(experiment=study.experiment.model_copy(update={"data": located}))
    return study, next(spec for spec in study.all_trials if spec.id == trial.id)
