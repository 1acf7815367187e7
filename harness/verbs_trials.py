"""What can be done with single trials: look, read their logs, train again, discard, free space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, StoreAway
from harness.files import require_writable
from harness.text import one_line
from harness.verbs import Settings, launch_plan

if TYPE_CHECKING:
    from rich.console import Console

    from harness.launching.again import Inline
    from harness.launching.driver import Outcome
    from harness.launching.known import Known
    from harness.launching.stop import Stop
    from harness.launching.tidy import Tidied
    from harness.launching.trials import Trials
    from harness.specs import Study, Trial
    from harness.storage import Folder
    from harness.tracking.history import History
    from harness.tracking.lock import Lock

LONGEST_REASON = 500


def trials_of(names: Sequence[str], settings: Settings) -> tuple[Trials, dict[str, str]]:
    """The trials of some experiments, or of all that are recorded.

    Returns:
        They, and what is wrong with experiments that nobody named and that cannot be read.

    Raises:
        HarnessError: The store does not answer, or an experiment that was named never ran.
    """
    from harness.launching.trials import Trials
    from harness.tracking import recorded_experiments

    records, studies, troubles = {}, {}, {}
    for name in dict.fromkeys(names) or recorded_experiments(settings.tracking_uri, settings.home):
        if Path(name).name != name or "\0" in name:
            raise HarnessError(f"'{name}' is not the name of an experiment", remedy="Give its name, not a path.")
        try:
            record = settings.record(name, create=False)
            if names or not record.experiment_is_new:
                studies[name] = record.study()
                records[name] = record
        except StoreAway:
            raise
        except HarnessError as error:
            if names:
                raise
            troubles[name] = str(error)
    return Trials(records, studies, settings.folder), troubles


def find(prefix: str, settings: Settings) -> tuple[Known, Trials]:
    """A trial by the first digits of its id, among all that are recorded.

    Raises:
        HarnessError: There is none, or there are several.
    """
    trials, _ = trials_of((), settings)
    return trials.find(prefix), trials


def with_history(known: Known, trials: Trials) -> Known:
    """The same with the store's history where there is no checkpoint that holds it."""
    if known.done or known.run is None or not known.run.finished or known.why is not None:
        return known
    histories = trials.records[known.experiments[0]].histories([known.id])
    return replace(known, journal=histories[0]) if histories else known


def traceback(known: Known, trials: Trials) -> str:
    """Of a failed trial: its attempt's, else the store's; empty where nobody kept one."""
    if known.last is not None and known.last.trace:
        return known.last.trace
    if known.run is None or known.run.status != "FAILED" or not known.run.run_id:
        return ""
    try:
        return trials.records[known.experiments[0]].traceback(known.run.run_id)
    except StoreAway:
        raise
    except HarnessError:
        return ""


@contextmanager
def _held(names: Sequence[str], settings: Settings, command: str) -> Iterator[list[Lock]]:
    """The locks of all experiments that hold a trial: none of them is to train it meanwhile."""
    from harness.tracking.lock import Lock

    with ExitStack() as stack:
        yield [stack.enter_context(Lock(settings.record(n, create=False), command)()) for n in sorted(set(names))]


def discard(prefixes: Sequence[str], reason: str, settings: Settings) -> dict[str, str]:
    """Take trials out of the record, with a reason; nothing is deleted, and ``harness run`` trains them anew.

    Returns:
        What was done with each, by label.

    Raises:
        HarnessError: One of them is unknown, never began, or is being trained; then nothing was done.
    """
    from harness.launching.aside import DISCARDED, put_folder_aside
    from harness.launching.mending import put_aside

    reason = one_line(reason)
    if not 0 < len(reason) <= LONGEST_REASON:
        raise HarnessError(
            "a discarded trial needs a reason, of one line" if not reason else f"it has {len(reason)} characters",
            where="--reason",
            remedy=f"Write up to {LONGEST_REASON} characters for whoever finds it missing.",
        )
    trials, _ = trials_of((), settings)
    ids = list(dict.fromkeys(trials.find(prefix).id for prefix in prefixes))
    holders = [name for identity in ids for name in trials.experiments_of(identity)]
    done = {}
    with _held(holders, settings, f"harness discard {' '.join(ids)}"):
        trials, _ = trials_of((), settings)
        found = [trials.find(identity) for identity in ids]
        wanted = [known for known in found if _to_discard(known)]
        for known in wanted:
            if not known.experiments:
                put_folder_aside(settings.folder, known.id, settings.folder.names(), DISCARDED + reason)
            else:
                put_aside([known.id], trials.records[known.experiments[0]], settings.folder, DISCARDED + reason)
    for known in found:
        if known not in wanted:
            before = known.why.reason if known.why is not None else known.aside[-1][1].reason
            done[f"{known.id} {known.label}"] = (
                f"nothing to do, it was put aside before ({before or 'nobody wrote why'})"
            )
            continue
        text = f"discarded (before: {known.state})"
        if len(known.experiments) > 1:
            text += f"; so it is for all experiments that share it: {', '.join(known.experiments)}"
        done[f"{known.id} {known.label}"] = text
    return done


def _to_discard(known: Known) -> bool:
    """Whether there is something to put aside.

    Raises:
        HarnessError: It is being trained, or it never began.
    """
    _require_idle(known)
    if known.why is not None or (known.state == "new" and known.aside):
        return False
    if known.state == "new":
        raise HarnessError(
            f"{known.label} never began, so there is nothing to discard",
            where=f"trial {known.id}",
            remedy="Take its variant or seed out of the experiment where it is not wanted. Nothing was changed.",
        )
    return True


@dataclass
class Freed:
    """What a tidying came to.

    Attributes:
        folders: By experiment; under an empty name what belongs to none.
        skipped: Experiments that somebody else is at, and who.
    """

    folders: dict[str, list[Tidied]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """In total."""
        return sum(tidied.freed for folders in self.folders.values() for tidied in folders)


def gc(names: Sequence[str], settings: Settings, dry_run: bool = False) -> Freed:
    """Free the tensors of trials that are done or were put aside. Histories stay; unfinished trials are not touched.

    Raises:
        HarnessError: The store or storage does not answer, or somebody is at an experiment that was named.
    """
    from harness.launching.tidy import tidy

    if names:
        trials_of(names, settings)
    trials, troubles = trials_of((), settings)
    freed = Freed(skipped={} if names else troubles)
    seen: set[str] = set()
    for name in dict.fromkeys(names) or trials.records:
        ids = [identity for identity in trials.all_of(name) if identity not in seen]
        # Whoever trains one of these again through another experiment moves their folders.
        sharing = {name, *(other for identity in ids for other in trials.experiments_of(identity))}
        with ExitStack() as stack:
            if not dry_run:
                try:
                    stack.enter_context(_held(list(sharing), settings, f"harness gc {name}"))
                except StoreAway:
                    raise
                except HarnessError as error:
                    if names:
                        raise
                    freed.skipped[name] = f"{error.what}. {error.remedy}"
                    continue
            seen.update(ids)
            freed.folders[name] = tidy(settings.folder, ids, settings.folder.names(), dry_run)
    if not names:
        # Of older settings, or of another store: a trial that is done is so for everybody.
        held = {identity for name in freed.skipped if name in trials.records for identity in trials.all_of(name)}
        rest = [identity for identity in trials.ids_of_folders() if identity not in seen | held]
        freed.folders[""] = tidy(settings.folder, rest, settings.folder.names(), dry_run)
    return freed


@dataclass(frozen=True)
class Rerun:
    """What training a trial again came to.

    Attributes:
        before: The history that it supersedes; None where it had not been trained to its end.
        now: Its history now; None where it came to no end.
        trace: The traceback where it failed.
    """

    known: Known
    outcome: Outcome
    before: History | None = None
    now: History | None = None
    trace: str = ""


def rerun(
    prefix: str, settings: Settings, console: Console, inline: Inline | None = None, data_root: Path | None = None
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
    from harness.launching.again import alone
    from harness.launching.attempts import attempts
    from harness.launching.known import newest_readable
    from harness.launching.resources import require_local
    from harness.launching.stop import Stop

    known, trials = find(prefix, settings)
    study, trial = _at_hand(known, trials, data_root)
    require_writable(settings.home)
    settings.folder.require_writable()
    if settings.address is None:
        require_local(study.experiment.resources, trial.recipe.precision)
    stop = Stop()
    with _held(trials.experiments_of(known.id), settings, f"harness rerun {known.id}") as locks:
        known, trials = find(known.id, settings)
        _require_idle(known)
        lock = locks[sorted(trials.experiments_of(known.id)).index(known.experiments[0])]
        if known.done or (known.run is not None and known.run.finished):
            done = _train_beside(known, trials, study, trial, settings, console, stop, lock, inline)
        else:
            record = trials.records[known.experiments[0]]
            plan = alone(study, trial, known.journal.last_epoch if known.journal is not None else 0)
            outcome = launch_plan(plan, record, settings, console, False, stop, lock, inline, whole=False)
            tried = attempts(known.folder)
            now, _ = newest_readable(known.folder, known.id)
            finished = now if now is not None and now.done else None
            done = Rerun(known, outcome, None, finished, tried[-1].trace if tried else "")
    stop.raise_if_interrupted()
    return done


def _train_beside(
    known: Known,
    trials: Trials,
    study: Study,
    trial: Trial,
    settings: Settings,
    console: Console,
    stop: Stop,
    lock: Lock,
    inline: Inline | None,
) -> Rerun:
    """Train it in a folder beside its own; only once it is done does it take the other's place."""
    from harness.launching.again import alone, apart, beside, bring_home
    from harness.launching.attempts import attempts
    from harness.launching.driver import execute
    from harness.launching.inline import launch
    from harness.launching.known import newest_readable
    from harness.launching.mending import put_aside

    record, storage = trials.records[known.experiments[0]], settings.folder
    before = with_history(known, trials).journal
    place: Folder = beside(storage, trial.id)
    half, _ = newest_readable(place / trial.id, trial.id)
    if half is None or not half.done:
        if half is not None:
            console.print(f"It goes on from a rerun before this one, which came to epoch {half.last_epoch}.")
        with apart(known.experiments[0], place) as scratch:
            plan = alone(study, trial, half.last_epoch if half is not None else 0)
            beside_it = replace(settings, storage=str(place))
            outcome = launch_plan(plan, scratch, beside_it, console, False, stop, lock, inline)
    else:
        from harness.launching.driver import Outcome

        outcome = Outcome(trained=1)
    now, _ = newest_readable(place / trial.id, trial.id)
    if now is None or not now.done:
        tried = attempts(place / trial.id)
        return Rerun(known, outcome, before, None, tried[-1].trace if tried else "")
    put_aside([trial.id], record, storage, "trained again by harness rerun")
    bring_home(storage, trial.id)
    published = execute(alone(study, trial, trained=True), record, storage, launch, lambda progress: None, whole=False)
    outcome.trouble = outcome.trouble or published.trouble
    return Rerun(known, outcome, before, now)


def _at_hand(known: Known, trials: Trials, data_root: Path | None) -> tuple[Study, Trial]:
    """The experiment of a trial with its data in place, whose content is what it was.

    Raises:
        HarnessError: It is of other settings, or its data is not at hand.
    """
    from harness.data.info import describe
    from harness.specs import Study

    if not known.current or known.trial is None or not known.experiments:
        raise HarnessError(
            f"{known.label} is of other settings than its experiment was last run with",
            where=f"trial {known.id}",
            remedy="Run the experiment with those settings: harness run NAME --set ...; `harness show` names them.",
        )
    study = trials.studies[known.experiments[0]]
    written = known.journal.trial.data.root if known.journal is not None else None
    root = str(data_root) if data_root is not None else written
    _, data = describe(known.trial.data.model_copy(update={"root": root}))
    data = study.experiment.data.model_copy(update={"root": data.root})
    # A copy by pydantic would keep the trials that are cached, without the root.
    experiment = study.experiment.model_copy(update={"data": data})
    study = Study(experiment=experiment, variants=study.variants, data=study.data)
    return study, next(trial for trial in study.trials if trial.id == known.id)


def _require_idle(known: Known) -> None:
    """Raises HarnessError where a process of this host trains it."""
    if known.alive:
        raise HarnessError(
            f"{known.label} is being trained: {known.last.process if known.last else ''}",
            where=f"trial {known.id}",
            remedy="Stop that process first; nothing was changed.",
        )
