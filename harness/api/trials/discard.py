"""Take trials out of the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.api.trials.find import lock_experiments, open_index
from harness.errors import HarnessError
from harness.settings import Settings
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import one_line
from harness.tracking.mlflow_record.store.patience import patience_with_warnings
from harness.tracking.record import open_checkpoint_folder

if TYPE_CHECKING:
    from harness.trials.summary import TrialSummary

LONGEST_REASON = 500


def discard(prefixes: Sequence[str], reason: str, settings: Settings) -> dict[str, str]:
    """Archive trials with a reason, so that ``harness run`` trains them again. Nothing is deleted.

    Args:
        prefixes: First digits of the trials' ids.

    Returns:
        What was done with each trial, by id and label.

    Raises:
        HarnessError: A trial is unknown, never started, or is being trained. Nothing was done then.
    """
    from harness.execution.archive import DISCARD_PREFIX, archive_folder
    from harness.experiments.record_sync import archive_trials

    note = DISCARD_PREFIX + _require_reason(reason)
    index, _ = open_index((), settings, patience_with_warnings())
    ids = list(dict.fromkeys(index.find(prefix).id for prefix in prefixes))
    experiments = [name for identity in ids for name in index.experiments_of(identity)]
    with lock_experiments(experiments, settings, f"harness discard {' '.join(ids)}"):
        index, _ = open_index((), settings, patience_with_warnings())
        trials = [index.find(identity) for identity in ids]
        to_discard = [trial for trial in trials if _needs_discarding(trial)]
        storage = open_checkpoint_folder(settings)
        for trial in to_discard:
            if trial.experiments:
                archive_trials([trial.id], index.records[trial.experiments[0]], storage, note)
            else:
                archive_folder(storage, trial.id, storage.list_names(), note)
    return {f"{trial.id} {trial.label}": _describe(trial, trial in to_discard) for trial in trials}


def _require_reason(text: str) -> str:
    """Return a reason as one line.

    Raises:
        HarnessError: It is empty or too long.
    """
    reason = one_line(text)
    if not 0 < len(reason) <= LONGEST_REASON:
        raise HarnessError(
            f"the reason has {len(reason)} characters" if reason else "a discarded trial needs a reason",
            where="--reason",
            remedy=f"Write one line of up to {LONGEST_REASON} characters.",
        )
    return reason


def _needs_discarding(trial: TrialSummary) -> bool:
    """Return whether a trial has something to archive; false if it was archived before.

    Raises:
        HarnessError: It is being trained, or it never started.
    """
    trial.require_idle()
    if trial.archive_note is not None or (trial.status == TrialStatus.NEW and trial.archived):
        return False
    if trial.status == TrialStatus.NEW:
        raise HarnessError(
            f"{trial.label} was never started, so there is nothing to discard",
            where=f"trial {trial.id}",
            remedy="To leave it out, remove its variant or seed from the experiment. Nothing was changed.",
        )
    return True


def _describe(trial: TrialSummary, is_discarded: bool) -> str:
    """Return what was done, in words; ``trial`` is the trial before the change."""
    from harness.trials.summary import NO_REASON

    if not is_discarded:
        note = trial.archive_note if trial.archive_note is not None else trial.archived[-1][1]
        return f"nothing to do, it was archived before ({note.reason or NO_REASON})"
    text = f"discarded (before: {trial.status})"
    if len(trial.experiments) > 1:
        text += f" in all experiments that share it: {', '.join(trial.experiments)}"
    return text
