"""What can be done with single trials: look, read their logs, discard, free space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, StoreUnavailable
from harness.settings import Settings
from harness.text import one_line
from harness.tracking.record import open_checkpoint_folder, open_record

if TYPE_CHECKING:
    from harness.tracking.lock import ExperimentLock
    from harness.trials.cleanup import FolderCleanup
    from harness.trials.index import TrialIndex
    from harness.trials.status import TrialSummary

LONGEST_REASON = 500


def trials_of(names: Sequence[str], settings: Settings) -> tuple[TrialIndex, dict[str, str]]:
    """The trials of some experiments, or of all that are recorded.

    Returns:
        They, and what is wrong with experiments that nobody named and that cannot be read.

    Raises:
        HarnessError: The store does not answer, or an experiment that was named never ran.
    """
    from harness.tracking.record import list_recorded_experiments
    from harness.trials.index import TrialIndex

    records, studies, troubles = {}, {}, {}
    for name in dict.fromkeys(names) or list_recorded_experiments(settings):
        if Path(name).name != name or "\0" in name:
            raise HarnessError(f"'{name}' is not the name of an experiment", remedy="Give its name, not a path.")
        try:
            record = open_record(settings, name, create=False)
            if names or not record.experiment_is_new:
                studies[name] = record.study()
                records[name] = record
        except StoreUnavailable:
            raise
        except HarnessError as error:
            if names:
                raise
            troubles[name] = str(error)
    return TrialIndex(records, studies, open_checkpoint_folder(settings)), troubles


def find_trial(prefix: str, settings: Settings) -> tuple[TrialSummary, TrialIndex]:
    """A trial by the first digits of its id, among all that are recorded.

    Raises:
        HarnessError: There is none, or there are several.
    """
    trials, _ = trials_of((), settings)
    return trials.find(prefix), trials


def with_history(known: TrialSummary, trials: TrialIndex) -> TrialSummary:
    """The same with the store's history where there is no checkpoint that holds it."""
    if known.done or known.run is None or not known.run.finished or known.why is not None:
        return known
    histories = trials.records[known.experiments[0]].histories([known.id])
    return replace(known, journal=histories[0]) if histories else known


def show_trial(prefix: str, settings: Settings) -> tuple[TrialSummary, TrialIndex]:
    """The same as :func:`find`, with the trial's history wherever it is."""
    known, trials = find_trial(prefix, settings)
    return with_history(known, trials), trials


def traceback(known: TrialSummary, trials: TrialIndex) -> str:
    """Of a failed trial: its attempt's, else the store's; empty where nobody kept one."""
    if known.last is not None and known.last.trace:
        return known.last.trace
    if known.run is None or known.run.status != "FAILED" or not known.run.run_id:
        return ""
    try:
        return trials.records[known.experiments[0]].traceback(known.run.run_id)
    except StoreUnavailable:
        raise
    except HarnessError:
        return ""


@contextmanager
def lock_experiments(names: Sequence[str], settings: Settings, command: str) -> Iterator[list[ExperimentLock]]:
    """The locks of all experiments that hold a trial: none of them is to train it meanwhile."""
    from harness.tracking.lock import ExperimentLock

    with ExitStack() as stack:
        yield [stack.enter_context(ExperimentLock(open_record(settings, n, create=False), command)()) for n in sorted(set(names))]


def discard(prefixes: Sequence[str], reason: str, settings: Settings) -> dict[str, str]:
    """Take trials out of the record, with a reason; nothing is deleted, and ``harness run`` trains them anew.

    Returns:
        What was done with each, by label.

    Raises:
        HarnessError: One of them is unknown, never began, or is being trained; then nothing was done.
    """
    from harness.execution.archive import DISCARDED, archive_folder
    from harness.experiments.reconcile import archive_trials

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
    with lock_experiments(holders, settings, f"harness discard {' '.join(ids)}"):
        trials, _ = trials_of((), settings)
        found = [trials.find(identity) for identity in ids]
        wanted = [known for known in found if _to_discard(known)]
        for known in wanted:
            if not known.experiments:
                archive_folder(
                    open_checkpoint_folder(settings), known.id, open_checkpoint_folder(settings).list_names(), DISCARDED + reason
                )
            else:
                archive_trials(
                    [known.id], trials.records[known.experiments[0]], open_checkpoint_folder(settings), DISCARDED + reason
                )
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


def _to_discard(known: TrialSummary) -> bool:
    """Whether there is something to put aside.

    Raises:
        HarnessError: It is being trained, or it never began.
    """
    require_idle(known)
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
class CleanupResult:
    """What a tidying came to.

    Attributes:
        folders: By experiment; under an empty name what belongs to none.
        skipped: Experiments that somebody else is at, and who.
    """

    folders: dict[str, list[FolderCleanup]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """In total."""
        return sum(tidied.freed for folders in self.folders.values() for tidied in folders)


def clean_up(names: Sequence[str], settings: Settings, dry_run: bool = False) -> CleanupResult:
    """Free the tensors of trials that are done or were put aside. Histories stay; unfinished trials are not touched.

    Raises:
        HarnessError: The store or storage does not answer, or somebody is at an experiment that was named.
    """
    from harness.trials.cleanup import strip_tensors

    if names:
        trials_of(names, settings)
    trials, troubles = trials_of((), settings)
    freed = CleanupResult(skipped={} if names else troubles)
    seen: set[str] = set()
    for name in dict.fromkeys(names) or trials.records:
        ids = [identity for identity in trials.all_of(name) if identity not in seen]
        # Whoever trains one of these again through another experiment moves their folders.
        sharing = {name, *(other for identity in ids for other in trials.experiments_of(identity))}
        with ExitStack() as stack:
            if not dry_run:
                try:
                    stack.enter_context(lock_experiments(list(sharing), settings, f"harness gc {name}"))
                except StoreUnavailable:
                    raise
                except HarnessError as error:
                    if names:
                        raise
                    freed.skipped[name] = f"{error.what}. {error.remedy}"
                    continue
            seen.update(ids)
            freed.folders[name] = strip_tensors(
                open_checkpoint_folder(settings), ids, open_checkpoint_folder(settings).list_names(), dry_run
            )
    if not names:
        # Of older settings, or of another store: a trial that is done is so for everybody.
        theirs = {identity for name in freed.skipped if name in trials.records for identity in trials.all_of(name)}
        rest = [identity for identity in trials.ids_of_folders() if identity not in seen | theirs]
        freed.folders[""] = strip_tensors(
            open_checkpoint_folder(settings), rest, open_checkpoint_folder(settings).list_names(), dry_run
        )
    return freed


def require_idle(known: TrialSummary) -> None:
    """Raises HarnessError where a process of this host trains it."""
    if known.alive:
        raise HarnessError(
            f"{known.label} is being trained: {known.last.process if known.last else ''}",
            where=f"trial {known.id}",
            remedy="Stop that process first; nothing was changed.",
        )
