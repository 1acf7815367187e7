"""Find trials among all experiments of a store, and lock the experiments that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, StoreUnavailable, suggest_nearest
from harness.settings import Settings
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.mlflow_record.store.patience import Patience, patience_with_warnings
from harness.tracking.record import list_recorded_experiments, open_checkpoint_folder, open_record

if TYPE_CHECKING:
    from harness.tracking.lock import ExperimentLock
    from harness.trials.index import TrialIndex
    from harness.trials.summary import TrialSummary

ARCHIVED = frozenset({TrialStatus.DISCARDED, TrialStatus.SUPERSEDED})
"""States of trials that are listed on request only."""
EARLIER_NAMES = {
    "recorded": TrialStatus.FINISHED,
    "died": TrialStatus.INTERRUPTED,
    "stopped": TrialStatus.INTERRUPTED,
}
"""Names that earlier versions used; scripts may still contain them."""


def open_index(
    names: Sequence[str], settings: Settings, patience: Patience | None = None
) -> tuple[TrialIndex, dict[str, str]]:
    """Open the trials of some experiments, or of all recorded ones.

    Args:
        names: Names of experiments; empty for all.
        patience: How long to wait for a store that does not answer; None: not at all.

    Returns:
        The index of their trials; and by experiment why it cannot be read, if no experiment was named.

    Raises:
        HarnessError: The store does not answer, or a named experiment cannot be read.
    """
    from harness.trials.index import TrialIndex

    records, studies, unreadable = {}, {}, {}
    for name in dict.fromkeys(names) or list_recorded_experiments(settings, patience):
        if Path(name).name != name or "\0" in name:
            raise HarnessError(f"'{name}' is not the name of an experiment", remedy="Give its name, not a path.")
        try:
            record = open_record(settings, name, create=False, patience=patience)
            if names or not record.is_new:
                studies[name] = record.read_experiment()
                records[name] = record
        except StoreUnavailable:
            raise
        except HarnessError as error:
            if names:
                raise
            unreadable[name] = str(error)
    return TrialIndex(records, studies, open_checkpoint_folder(settings)), unreadable


def find_trial(prefix: str, settings: Settings, patience: Patience | None = None) -> tuple[TrialSummary, TrialIndex]:
    """Return the trial whose id starts with ``prefix``, and the index of all recorded trials.

    Args:
        patience: How long to wait for a store that does not answer; None: not at all.

    Raises:
        HarnessError: No trial's id starts like this, or several trials' ids do.
    """
    index, _ = open_index((), settings, patience)
    return index.find(prefix), index


def show_trial(prefix: str, settings: Settings) -> tuple[TrialSummary, TrialIndex]:
    """Return the trial as :func:`find_trial` does, with its history from the record if no checkpoint holds it.

    Raises:
        HarnessError: No trial's id starts like this, or several trials' ids do.
    """
    trial, index = find_trial(prefix, settings)
    return index.with_recorded_history(trial), index


def parse_states(names: Iterable[str]) -> set[TrialStatus]:
    """Return the states with these names.

    Raises:
        HarnessError: There is no such state.
    """
    states = {status.value: status for status in TrialStatus}
    for name in names:
        if name not in states and name not in EARLIER_NAMES:
            raise HarnessError(
                f"'{name}' is not a state of a trial", where="--state", remedy=suggest_nearest(name, states)
            )
    return {(states | EARLIER_NAMES)[name] for name in names}


@contextmanager
def lock_experiments(names: Sequence[str], settings: Settings, command: str) -> Iterator[dict[str, ExperimentLock]]:
    """Hold the locks of several experiments, so that no other process trains a trial that they share.

    Args:
        command: The command that holds the locks, for the error of a second process.

    Yields:
        The locks by experiment.

    Raises:
        HarnessError: Another process holds one of them.
    """
    from harness.tracking.lock import ExperimentLock

    with ExitStack() as stack:
        locks = {}
        # Every process takes the locks in the same order, so that no two wait for each other.
        for name in sorted(set(names)):
            record = open_record(settings, name, create=False, patience=patience_with_warnings())
            locks[name] = stack.enter_context(ExperimentLock(record, command).hold())
        yield locks
