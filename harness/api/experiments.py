"""Plan, run, sync, collect: each reads what the one before wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.settings import local_concurrency, require_lasting_storage, require_sender
from harness.errors import HarnessError, StoreUnavailable
from harness.io.atomic_files import require_writable
from harness.settings import Settings
from harness.specs import ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.text import escape_rich
from harness.tracking.record import open_checkpoint_folder, has_mlflow, open_record

if TYPE_CHECKING:
    from rich.console import Console

    from harness.experiments.driver import RunResult
    from harness.experiments.planning.plan import Plan
    from harness.launchers.base import Launcher
    from harness.launchers.stop_request import StopRequest
    from harness.tracking.lock import ExperimentLock
    from harness.tracking.record import Record
    from harness.tracking.results_table import Results


def plan(study: ResolvedExperiment, settings: Settings) -> Plan:
    """Look every trial of a study up in the record; writes nothing."""
    from harness.execution.optional_outputs import require_optional_outputs
    from harness.experiments.planning.plan import make_plan
    from harness.experiments.search import extend_search, require_searcher

    require_searcher(study.experiment.tune, settings.launcher)
    require_optional_outputs(study.experiment.execution, has_mlflow(settings), settings.launcher)
    record = open_record(settings, study.experiment.name, create=False)
    before = None if record.experiment_is_new else record.study()
    study = extend_search(study.with_looks_of(before), record, open_checkpoint_folder(settings))
    at_once = local_concurrency(study, settings)
    return make_plan(
        study, record, open_checkpoint_folder(settings), at_once, before=before, one_machine=settings.one_machine
    )


def run(
    study: ResolvedExperiment,
    settings: Settings,
    console: Console,
    force: bool = False,
    announce: Callable[[Plan], None] = lambda plan: None,
) -> RunResult:
    """Bring every trial of a study into the record.

    With a search it is done in parts: what is known to be needed, then what follows from its results.

    Args:
        announce: Told of the plan of each part.

    Raises:
        HarnessError: Something is in the way; then nothing was written. Somebody else is at this experiment.
        Interrupted: By a signal; what was trained is recorded or in checkpoints.
    """
    from harness.execution.optional_outputs import require_optional_outputs
    from harness.experiments.driver import PATIENCE, RunResult
    from harness.experiments.planning.plan import make_plan
    from harness.experiments.search import extend_search, require_searcher
    from harness.launchers.resources import require_local_resources
    from harness.launchers.stop_request import StopRequest
    from harness.io.output_directory import require_report_directory
    from harness.tracking.lock import ExperimentLock
    from harness.tracking.mlflow_record.client import retry

    experiment = study.experiment
    stop = StopRequest(settings.time_limit)
    require_sender()
    require_lasting_storage(settings)
    require_writable(settings.home)
    require_report_directory(settings.reports / experiment.name)
    require_optional_outputs(experiment.execution, has_mlflow(settings), settings.launcher)
    if settings.address is None:
        require_local_resources(experiment.resources, experiment.recipe.precision)
    require_searcher(experiment.tune, settings.launcher)
    storage = open_checkpoint_folder(settings)
    storage.require_writable()
    record = retry(
        lambda: open_record(settings, experiment.name),
        PATIENCE,
        lambda error: console.print(
            f"{escape_rich(error.what)}; waiting for it up to {PATIENCE:g} s ...", soft_wrap=True
        ),
    )

    def planned(kept: set[str]) -> Plan:
        known = study if force and not kept else extend_search(study, record, storage)
        before = None if record.experiment_is_new else record.study()
        known = known.with_looks_of(before)
        at_once = local_concurrency(study, settings)
        return make_plan(known, record, storage, at_once, force, before, kept, settings.one_machine)

    # Whatever is wrong with checkpoints or record is found before anything is created.
    planned(set())
    record.create(study)
    outcome, tried = RunResult(), set[str]()
    last: ResolvedExperiment | None = None
    with (
        ExperimentLock(record, f"harness run {experiment.name}", lambda who: stop.ask(who, hands_off=True))() as lock,
        ExitStack() as keep,
    ):
        while True:
            # Another driver may have held the lock and trained since.
            record.refresh()
            todo = planned(tried)
            if todo.study == last:
                break
            announce(todo)
            last, tried = todo.study, tried | {p.trial.id for p in todo.trials}
            outcome = outcome.then(launch_plan(todo, record, settings, console, force, stop, lock, keep=keep))
            if outcome.incomplete or experiment.tune is None:
                break
    stop.raise_if_interrupted()
    return outcome


def report_due(study: ResolvedExperiment, outcome: RunResult) -> bool:
    """Whether a run is to end with its report: something is recorded, and its verdicts are no look in between.

    A run that was stopped goes on; a verdict on the seeds that it had by then would be a look that nobody asked for.
    """
    early = outcome.stopped and study.experiment.contrasts and len(study.experiment.seeds) >= SEEDS_FOR_CLAIMS
    return not outcome.trouble and outcome.to_report(study) and not early


def launch_plan(
    planned: Plan,
    record: Record,
    settings: Settings,
    console: Console,
    force: bool,
    stop: StopRequest,
    lock: ExperimentLock,
    inline: Launcher | None = None,
    whole: bool = True,
    keep: ExitStack | None = None,
) -> RunResult:
    """Only once the launcher stands is anything put aside or created.

    Args:
        inline: In place of the inline launcher, such as one with a debugger.
        whole: Whether the plan is all of its experiment.
        keep: Ends the launcher, where another plan follows; None: it ends with this plan.
    """
    from harness.experiments.driver import run_plan
    from harness.experiments.progress_display import Display
    from harness.experiments.reconcile import archive_trials
    from harness.launchers.inline import launch
    from harness.launchers.ray.data_staging import decode_once, stage_data

    def go(planned: Plan, launcher: Launcher) -> RunResult:
        if force:
            archive_trials(
                [p.trial.id for p in planned.trials if p.state == "new"],
                record,
                open_checkpoint_folder(settings),
                "trained again",
            )
        with Display(planned, console) as display:
            lock.require()
            outcome = run_plan(
                planned, record, open_checkpoint_folder(settings), launcher, display, stop, console.print, whole
            )
        if stop.hands_off:
            raise HarnessError(lock.lost, where="the lock", remedy="Checkpoints are written; run it again later.")
        return outcome

    experiment = planned.study.experiment
    if planned.to_run and settings.address is None:
        decode_once(planned.trials[0].trial.data, experiment.recipe.augment, show=console.is_terminal)
    if settings.launcher == "inline" or not planned.to_run:
        return go(planned, inline or launch)

    from harness.launchers.ray.cluster_hosts import ClusterRequest, require_tracking_server, require_shared_storage
    from harness.launchers.ray.launcher import RayLauncher
    from harness.tracking.mlflow_record.writer import MlflowRecord

    ended = [p.trial.id for p in planned.trials if p.trial.scheduler is not None and p.state == "recorded"]
    with ExitStack() as alone:
        with console.status("Starting Ray ..."):
            rivals = record.histories(ended) if ended else []
            expected = ClusterRequest(settings.hosts, settings.wait, settings.at_once)
            launcher = RayLauncher(experiment.resources, settings.address, rivals, expected, console.print)
            (keep or alone).callback(launcher.close)
            if isinstance(record, MlflowRecord):
                require_tracking_server(record.uri)
            if launcher.address is not None:
                require_shared_storage(open_checkpoint_folder(settings))
        if launcher.address is not None:
            with console.status("Staging the data on every node ..."):
                stage_data(planned.trials[0].trial.data, experiment.recipe.augment, experiment.resources, console.print)
        return go(replace(planned, concurrency=launcher.concurrency), launcher)


def sync(names: Sequence[str], settings: Settings) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Bring the record up to what the journals hold, and end the runs that dead processes left; trains nothing.

    Args:
        names: Experiments; none: all that are recorded.

    Returns:
        What was done, by experiment and trial; and why it could not be done, by experiment.

    Raises:
        HarnessError: The store does not answer.
    """
    from harness.experiments.reconcile import sync_record
    from harness.tracking.lock import ExperimentLock
    from harness.tracking.record import list_recorded_experiments

    done, refused = {}, {}
    for name in names or list_recorded_experiments(settings):
        try:
            record = open_record(settings, name, create=False)
            study = record.study()
            with ExperimentLock(record, f"harness sync {name}")():
                done[name] = sync_record(study, record, open_checkpoint_folder(settings))
        except StoreUnavailable:
            raise
        except HarnessError as error:
            refused[name] = str(error)
    return done, refused


def collect(name: str, settings: Settings) -> tuple[Results, Record]:
    """The results table of an experiment as it was last run, from the record alone.

    Raises:
        HarnessError: It never ran in this store.
    """
    from harness.tracking.results_table import build_results_table

    if Path(name).name != name or "\0" in name:
        raise HarnessError(
            f"'{name}' is not the name of an experiment", remedy="Give its name, or the path of a results.csv."
        )
    record = open_record(settings, name, create=False)
    study = record.study()
    return build_results_table(study, record.histories([trial.id for trial in study.all_trials]), record.costs()), record
