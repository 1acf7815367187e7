"""Bring the record up to date with the checkpoints. The experiment's lock has to be held."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

from harness.execution.archive import archive_folder
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment
from harness.tracking.history import History, read_newest_history
from harness.tracking.record import Record

PUBLISHED = "its whole history was published"


def publish_history(
    history: History, study: ResolvedExperiment, record: Record, run_ids: MutableMapping[str, str]
) -> None:
    """Publish a trial's history. A trial without a run gets one that starts when its training started.

    Args:
        run_ids: The known runs by trial; a run that is created is added.
    """
    identity = history.id
    if identity not in run_ids:
        trial = next(trial for trial in study.all_trials if trial.id == identity)
        run_ids[identity] = record.create_trial_run(study, trial, history.started)
    record.publish_history(run_ids[identity], history)


def average_variants(record: Record, study: ResolvedExperiment, only: str | None = None) -> None:
    """Write the means over seeds to the runs of all variants that have recorded trials.

    Args:
        only: Name of the only variant to update; None for all.
    """
    record.refresh_runs(only)
    trials: dict[str, list[str]] = {}
    for trial in study.all_trials:
        trials.setdefault(trial.variant.name, []).append(trial.id)
    for variant in study.compared_variants:
        if only in (None, variant.name) and (histories := record.read_histories(trials.get(variant.name, ()))):
            record.write_seed_means(study, variant, histories)


def close_abandoned_runs(record: Record, storage: Folder, keep: set[str]) -> dict[str, str]:
    """Publish and close the runs that dead processes left open.

    Since the caller holds the lock, no live process trains these trials.

    Args:
        keep: Ids of trials whose runs stay open.

    Returns:
        What was done with each trial, by label.
    """
    actions = {}
    for identity, run in record.read_unended_trials().items():
        if identity in keep:
            continue
        history = read_newest_history(storage / identity, identity)
        if history is not None:
            record.publish_history(run.run_id, history)
        if history is not None and history.is_complete:
            actions[run.name] = PUBLISHED
            continue
        epochs, ended = (history.last_epoch, history.ended) if history is not None else (0, 0)
        record.mark_interrupted(run.run_id, f"its process ended; its checkpoint holds {epochs} epochs", ended or run.at)
        actions[run.name] = f"marked as interrupted after {epochs} epochs; `harness run` resumes it from its checkpoint"
    return actions


def sync_record(study: ResolvedExperiment, record: Record, storage: Folder) -> dict[str, str]:
    """Publish complete histories that the record lacks, close abandoned runs, and update the variants' means.

    Returns:
        What was done with each trial, by label.
    """
    record.refresh_runs()
    record.remove_duplicate_runs()
    runs = record.read_trials()
    run_ids = {identity: run.run_id for identity, run in runs.items()}
    actions, folders = {}, set(storage.list_names())
    for trial in study.all_trials:
        if trial.id not in folders or (trial.id in runs and runs[trial.id].is_recorded):
            continue
        history = read_newest_history(storage / trial.id, trial.id)
        if history is None or not (history.is_complete or trial.id in run_ids):
            continue
        publish_history(history, study, record, run_ids)
        if history.is_complete:
            actions[trial.label] = PUBLISHED
    actions |= close_abandoned_runs(record, storage, keep=set())
    average_variants(record, study)
    return actions


def archive_trials(trials: Sequence[str], record: Record, storage: Folder, reason: str) -> None:
    """Take trials out of the record: tag their runs as superseded and rename their folders. Nothing is deleted."""
    record.supersede_trials(trials, reason)
    names = storage.list_names()
    for trial in trials:
        if trial in names:
            archive_folder(storage, trial, names, reason)
