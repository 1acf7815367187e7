"""Plan, run, sync, collect: each reads what the one before wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, StoreAway
from harness.files import require_writable
from harness.specs import Study
from harness.specs.looks import SEEDS_FOR_CLAIMS
from harness.text import shown
from harness.verbs.settings import Settings, local_concurrency, require_lasting, require_sender

if TYPE_CHECKING:
    from rich.console import Console

    from harness.launching.driver import Launcher, Outcome
    from harness.launching.plan import Plan
    from harness.launching.stop import Stop
    from harness.tracking import Record
    from harness.tracking.lock import Lock
    from harness.tracking.table import Results


def plan(study: Study, settings: Settings) -> Plan:
    """Look every trial of a study up in the record; writes nothing."""
    from harness.launching.extras import require_extras
    from harness.launching.plan import make_plan
    from harness.launching.search import grown, require_searcher

    require_searcher(study.experiment.tune, settings.launcher)
    require_extras(study.experiment.execution, settings.has_store, settings.launcher)
    record = settings.record(study.experiment.name, create=False)
    before = None if record.experiment_is_new else record.study()
    study = grown(study.after(before), record, settings.folder)
    at_once = local_concurrency(study, settings)
    return make_plan(study, record, settings.folder, at_once, before=before, one_machine=settings.one_machine)


def run(
    study: Study,
    settings: Settings,
    console: Console,
    force: bool = False,
    announce: Callable[[Plan], None] = lambda plan: None,
) -> Outcome:
    """Bring every trial of a study into the record.

    With a search it is done in parts: what is known to be needed, then what follows from its results.

    Args:
        announce: Told of the plan of each part.

    Raises:
        HarnessError: Something is in the way; then nothing was written. Somebody else is at this experiment.
        Interrupted: By a signal; what was trained is recorded or in checkpoints.
    """
    from harness.launching.driver import PATIENCE, Outcome
    from harness.launching.extras import require_extras
    from harness.launching.plan import make_plan
    from harness.launching.resources import require_local
    from harness.launching.search import grown, require_searcher
    from harness.launching.stop import Stop
    from harness.reporting.place import require_own
    from harness.tracking.client import patiently
    from harness.tracking.lock import Lock

    experiment = study.experiment
    stop = Stop(settings.time_limit)
    require_sender()
    require_lasting(settings)
    require_writable(settings.home)
    require_own(settings.reports / experiment.name)
    require_extras(experiment.execution, settings.has_store, settings.launcher)
    if settings.address is None:
        require_local(experiment.resources, experiment.recipe.precision)
    require_searcher(experiment.tune, settings.launcher)
    storage = settings.folder
    storage.require_writable()
    record = patiently(
        lambda: settings.record(experiment.name),
        PATIENCE,
        lambda error: console.print(f"{shown(error.what)}; waiting for it up to {PATIENCE:g} s ...", soft_wrap=True),
    )

    def planned(kept: set[str]) -> Plan:
        known = study if force and not kept else grown(study, record, storage)
        before = None if record.experiment_is_new else record.study()
        known = known.after(before)
        at_once = local_concurrency(study, settings)
        return make_plan(known, record, storage, at_once, force, before, kept, settings.one_machine)

    # Whatever is wrong with checkpoints or record is found before anything is created.
    planned(set())
    record.create(study)
    outcome, tried = Outcome(), set[str]()
    last: Study | None = None
    with (
        Lock(record, f"harness run {experiment.name}", lambda who: stop.ask(who, hands_off=True))() as lock,
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


def report_due(study: Study, outcome: Outcome) -> bool:
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
    stop: Stop,
    lock: Lock,
    inline: Launcher | None = None,
    whole: bool = True,
    keep: ExitStack | None = None,
) -> Outcome:
    """Only once the launcher stands is anything put aside or created.

    Args:
        inline: In place of the inline launcher, such as one with a debugger.
        whole: Whether the plan is all of its experiment.
        keep: Ends the launcher, where another plan follows; None: it ends with this plan.
    """
    from harness.launching.display import Display
    from harness.launching.driver import execute
    from harness.launching.inline import launch
    from harness.launching.mending import put_aside
    from harness.launching.staging import decode_once, stage

    def go(planned: Plan, launcher: Launcher) -> Outcome:
        if force:
            put_aside(
                [p.trial.id for p in planned.trials if p.state == "new"], record, settings.folder, "trained again"
            )
        with Display(planned, console) as display:
            lock.require()
            outcome = execute(planned, record, settings.folder, launcher, display, stop, console.print, whole)
        if stop.hands_off:
            raise HarnessError(lock.lost, where="the lock", remedy="Checkpoints are written; run it again later.")
        return outcome

    experiment = planned.study.experiment
    if planned.to_run and settings.address is None:
        decode_once(planned.trials[0].trial.data, experiment.recipe.augment, show=console.is_terminal)
    if settings.launcher == "inline" or not planned.to_run:
        return go(planned, inline or launch)

    from harness.launching.hosts import Expected, require_server, require_shared
    from harness.launching.ray_tune import RayLauncher
    from harness.tracking.store import Store

    ended = [p.trial.id for p in planned.trials if p.trial.scheduler is not None and p.state == "recorded"]
    with ExitStack() as alone:
        with console.status("Starting Ray ..."):
            rivals = record.histories(ended) if ended else []
            expected = Expected(settings.hosts, settings.wait, settings.at_once)
            launcher = RayLauncher(experiment.resources, settings.address, rivals, expected, console.print)
            (keep or alone).callback(launcher.close)
            if isinstance(record, Store):
                require_server(record.uri)
            if launcher.address is not None:
                require_shared(settings.folder)
        if launcher.address is not None:
            with console.status("Staging the data on every node ..."):
                stage(planned.trials[0].trial.data, experiment.recipe.augment, experiment.resources, console.print)
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
    from harness.launching.mending import synchronise
    from harness.tracking import recorded_experiments
    from harness.tracking.lock import Lock

    done, refused = {}, {}
    for name in names or recorded_experiments(settings.tracking_uri, settings.home):
        try:
            record = settings.record(name, create=False)
            study = record.study()
            with Lock(record, f"harness sync {name}")():
                done[name] = synchronise(study, record, settings.folder)
        except StoreAway:
            raise
        except HarnessError as error:
            refused[name] = str(error)
    return done, refused


def collect(name: str, settings: Settings) -> tuple[Results, Record]:
    """The results table of an experiment as it was last run, from the record alone.

    Raises:
        HarnessError: It never ran in this store.
    """
    from harness.tracking.table import tidy

    if Path(name).name != name or "\0" in name:
        raise HarnessError(
            f"'{name}' is not the name of an experiment", remedy="Give its name, or the path of a results.csv."
        )
    record = settings.record(name, create=False)
    study = record.study()
    return tidy(study, record.histories([trial.id for trial in study.everything]), record.costs()), record
