"""One trial trained again, beside its recorded self."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.experiments import launch_plan
from harness.api.trials import find_trial, lock_experiments, require_idle, with_history
from harness.errors import HarnessError
from harness.io.atomic_files import require_writable
from harness.settings import Settings
from harness.tracking.record import open_checkpoint_folder

if TYPE_CHECKING:
    from rich.console import Console

    from harness.experiments.driver import RunResult
    from harness.launchers.stop_request import StopRequest
    from harness.specs import ResolvedExperiment, Trial
    from harness.tracking.history import History
    from harness.tracking.lock import ExperimentLock
    from harness.trials.index import TrialIndex
    from harness.trials.rerun import DebugLauncher
    from harness.trials.status import TrialSummary


@dataclass(frozen=True)
class Rerun:
    """What training a trial again came to.

    Attributes:
        before: The history that it supersedes; None where it had not been trained to its end.
        now: Its history now; None where it came to no end.
        trace: The traceback where it failed.
    """

    known: TrialSummary
    outcome: RunResult
    before: History | None = None
    now: History | None = None
    trace: str = ""


def rerun(
    prefix: str,
    settings: Settings,
    console: Console,
    inline: DebugLauncher | None = None,
    data_root: str | Path | None = None,
) -> Rerun:
    """Train one trial again. The recorded one stays in the record until the new one is done, and is kept after that.

    One that was not trained to its end goes on from its checkpoint, as ``harness run`` would have it.

    Args:
        inline: Launches it in this process and keeps its exception; None: as the settings say.
        data_root: Where the data is; the record does not say it.

    Raises:
        HarnessError: It is unknown, of other settings or being trained, or its data is not what it was.
        Interrupted: By a signal; its checkpoint is kept.
    """
    from harness.execution.attempts import read_attempts
    from harness.launchers.resources import require_local_resources
    from harness.launchers.stop_request import StopRequest
    from harness.tracking.history import find_ensemble_seeds
    from harness.trials.rerun import single_trial_plan
    from harness.trials.status import newest_readable

    known, trials = find_trial(prefix, settings)
    study, trial = _at_hand(known, trials, data_root)
    require_writable(settings.home)
    open_checkpoint_folder(settings).require_writable()
    if settings.address is None:
        require_local_resources(study.experiment.resources, trial.recipe.precision)
    stop = StopRequest()
    with lock_experiments(trials.experiments_of(known.id), settings, f"harness rerun {known.id}") as locks:
        known, trials = find_trial(known.id, settings)
        require_idle(known)
        lock = locks[sorted(trials.experiments_of(known.id)).index(known.experiments[0])]
        if (home := _brought_home(known, trials, study, trial, settings)) is not None:
            done = home
        elif known.done or (known.run is not None and known.run.finished):
            done = _train_beside(known, trials, study, trial, settings, console, stop, lock, inline)
        else:
            record = trials.records[known.experiments[0]]
            done_before = known.journal.last_epoch if known.journal is not None else 0
            plan = single_trial_plan(study, trial, done_before, company=find_ensemble_seeds(known.journal))
            outcome = launch_plan(plan, record, settings, console, False, stop, lock, inline, whole=False)
            tried = read_attempts(known.folder)
            now, _ = newest_readable(known.folder, known.id)
            finished = now if now is not None and now.done else None
            done = Rerun(known, outcome, None, finished, tried[-1].trace if tried else "")
    stop.raise_if_interrupted()
    return done


def _brought_home(
    known: TrialSummary, trials: TrialIndex, study: ResolvedExperiment, trial: Trial, settings: Settings
) -> Rerun | None:
    """What a rerun came to that was cut off when the old trial was aside, and the new one not yet in its place."""
    from harness.execution.archive import RERUN_SUFFIX, archived_names
    from harness.experiments.driver import RunResult, run_plan
    from harness.launchers.inline import launch
    from harness.trials.rerun import promote_rerun, single_trial_plan
    from harness.trials.status import newest_readable

    storage = open_checkpoint_folder(settings)
    now, _ = newest_readable(storage / f"{trial.id}{RERUN_SUFFIX}" / trial.id, trial.id)
    if now is None or not now.done or known.run is not None or trial.id in storage.list_names():
        return None
    promote_rerun(storage, trial.id)
    record = trials.records[known.experiments[0]]
    published = run_plan(
        single_trial_plan(study, trial, trained=True), record, storage, launch, lambda progress: None, whole=False
    )
    aside = archived_names(storage.list_names(), trial.id)
    before = newest_readable(storage / aside[-1], trial.id)[0] if aside else None
    return Rerun(known, RunResult(trained=1, trouble=published.trouble), before, now)


def _train_beside(
    known: TrialSummary,
    trials: TrialIndex,
    study: ResolvedExperiment,
    trial: Trial,
    settings: Settings,
    console: Console,
    stop: StopRequest,
    lock: ExperimentLock,
    inline: DebugLauncher | None,
) -> Rerun:
    """Train it in a folder beside its own; only once it is done does it take the other's place."""
    from harness.execution.archive import RERUN_SUFFIX, archive_folder
    from harness.execution.attempts import read_attempts
    from harness.experiments.driver import run_plan
    from harness.experiments.reconcile import archive_trials
    from harness.launchers.inline import launch
    from harness.tracking.history import find_ensemble_seeds
    from harness.trials.rerun import promote_rerun, scratch_record, single_trial_plan
    from harness.trials.status import newest_readable

    record, storage = trials.records[known.experiments[0]], open_checkpoint_folder(settings)
    before = with_history(known, trials).journal
    if (company := find_ensemble_seeds(before)) and study.experiment.execution.seeds_together == "off":
        # It is held against itself, however the experiment trains new trials by now.
        execution = study.experiment.execution.model_copy(update={"seeds_together": "auto"})
        study = _with(study, execution=execution)
    place = storage / f"{trial.id}{RERUN_SUFFIX}"
    half, _ = newest_readable(place / trial.id, trial.id)
    if half is not None and half.done and before is not None and half.epochs[-1].at < before.epochs[0].at:
        # Left by one that was cut off; the trial was trained once more since.
        why = "left by a rerun that was cut off"
        archive_folder(storage, trial.id, storage.list_names(), why, place / trial.id)
        half = None
    if half is None or not half.done:
        if half is not None:
            console.print(f"It goes on from a rerun before this one, which came to epoch {half.last_epoch}.")
        with scratch_record(known.experiments[0], place) as scratch:
            plan = single_trial_plan(study, trial, half.last_epoch if half is not None else 0, company=company)
            beside_it = replace(settings, storage=str(place))
            outcome = launch_plan(plan, scratch, beside_it, console, False, stop, lock, inline)
    else:
        from harness.experiments.driver import RunResult

        outcome = RunResult(trained=1)
    now, _ = newest_readable(place / trial.id, trial.id)
    if now is None or not now.done:
        tried = read_attempts(place / trial.id)
        return Rerun(known, outcome, before, None, tried[-1].trace if tried else "")
    archive_trials([trial.id], record, storage, "trained again by harness rerun")
    promote_rerun(storage, trial.id)
    published = run_plan(
        single_trial_plan(study, trial, trained=True), record, storage, launch, lambda progress: None, whole=False
    )
    outcome.trouble = outcome.trouble or published.trouble
    return Rerun(known, outcome, before, now)


def _at_hand(known: TrialSummary, trials: TrialIndex, data_root: str | Path | None) -> tuple[ResolvedExperiment, Trial]:
    """The experiment of a trial with its data in place, whose content is what it was.

    Raises:
        HarnessError: It is of other settings, or its data is not at hand.
    """
    from harness.data.description import describe_data

    if not known.current or known.trial is None or not known.experiments:
        raise HarnessError(
            f"{known.label} is of other settings than its experiment was last run with",
            where=f"trial {known.id}",
            remedy="Run the experiment with those settings: harness run NAME --set ...; `harness show` names them.",
        )
    study = trials.studies[known.experiments[0]]
    written = known.journal.trial.data.root if known.journal is not None else None
    root = str(data_root) if data_root is not None else written
    _, data = describe_data(known.trial.data.model_copy(update={"root": root}))
    study = _with(study, data=study.experiment.data.model_copy(update={"root": data.root}))
    return study, next(trial for trial in study.all_trials if trial.id == known.id)


def _with(study: ResolvedExperiment, **changes: Any) -> ResolvedExperiment:
    """The study with parts of its experiment replaced."""
    from harness.specs import ResolvedExperiment

    # A copy by pydantic would keep the trials that are cached, without the changes.
    return ResolvedExperiment(**{**study.field_values(), "experiment": study.experiment.model_copy(update=changes)})
