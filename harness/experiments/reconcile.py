"""Bringing the record up to what the journals hold; whoever calls holds the experiment's lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.execution.archive import archive_folder
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment
from harness.tracking.history import read_newest_history
from harness.tracking.record import Record


def publish_journal(identity: str, record: Record, storage: Folder, runs: Mapping[str, str]) -> bool:
    """Publish what a trial's journal holds; whether that was all of a trial that is done."""
    journal = read_newest_history(storage / identity, identity)
    if journal is None:
        return False
    record.publish(runs[identity], journal)
    return journal.done


def average_variants(record: Record, study: ResolvedExperiment, only: str | None = None) -> None:
    """Put means on the runs of those variants of which trials are recorded."""
    record.refresh(only)
    trials: dict[str, list[str]] = {}
    for trial in study.everything:
        trials.setdefault(trial.variant.name, []).append(trial.id)
    for variant in study.compared:
        if only in (None, variant.name) and (histories := record.histories(trials.get(variant.name, ()))):
            record.summarise(study, variant, histories)


def close_abandoned_runs(record: Record, storage: Folder, keep: set[str]) -> dict[str, str]:
    """Trials whose runs say RUNNING though their processes are gone: publish what their journals hold, and end them.

    Returns:
        What was done with each, in words, by label.
    """
    done = {}
    for identity, run in record.left_running().items():
        if identity in keep:
            continue
        journal = read_newest_history(storage / identity, identity)
        if journal is not None:
            record.publish(run.run_id, journal)
        if journal is not None and journal.done:
            done[run.name] = "its whole history was published"
            continue
        epochs = journal.last_epoch if journal is not None else 0
        record.stop(run.run_id, f"its process ended; its checkpoint holds {epochs} epochs")
        done[run.name] = f"stopped, with {epochs} epochs in its checkpoint; `harness run` goes on from there"
    return done


def sync_record(study: ResolvedExperiment, record: Record, storage: Folder) -> dict[str, str]:
    """Publish every journal that the store lacks, end runs that dead processes left, average; trains nothing.

    Returns:
        What was done with each trial, in words, by label.
    """
    record.refresh()
    runs = record.trials()
    done = {}
    for trial in study.everything:
        run = runs.get(trial.id)
        if run is not None and not run.finished and publish_journal(trial.id, record, storage, {trial.id: run.run_id}):
            done[trial.label] = "its whole history was published"
    done |= close_abandoned_runs(record, storage, keep=set())
    average_variants(record, study)
    return done


def archive_trials(trials: Sequence[str], record: Record, storage: Folder, reason: str) -> None:
    """Take trials out of the record: runs by a tag, journals by a new name. Nothing is deleted."""
    record.supersede(trials, reason)
    names = storage.list_names()
    for trial in trials:
        if trial in names:
            archive_folder(storage, trial, names, reason)
