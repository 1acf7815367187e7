"""The index of trials: the trials of some experiments, listed, or found by the first digits of an id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from harness.errors import HarnessError, StoreUnavailable, suggest_nearest
from harness.execution.archive import ARCHIVED_NAME, RERUN_SUFFIX, ArchiveNote, archived_names, read_archive_note
from harness.execution.attempts import read_attempts
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.record import Record
from harness.tracking.recorded_trial import RecordedTrial
from harness.trials.summary import TrialSummary, read_readable_history

READERS = 8
"""Threads that read trials."""
FEWEST_DIGITS = 4
"""Fewest digits of an id that identify a trial."""
MOST_NAMED = 8
"""Most trials that an error names."""


class TrialIndex:
    """All trials of some experiments that share a store and a storage.

    Args:
        records: The record of each experiment, by its name.
        studies: Each experiment as it was last run, by its name.
        storage: The folder of all checkpoints.

    Raises:
        HarnessError: The store or the storage does not answer.
    """

    def __init__(
        self, records: Mapping[str, Record], studies: Mapping[str, ResolvedExperiment], storage: Folder
    ) -> None:
        self.records, self.studies, self.storage = records, studies, storage
        self.folder_names = set(storage.list_names())
        self._has_no_store = not any(record.uri for record in records.values())
        self._trials = {name: {t.id: t for t in study.all_trials} for name, study in studies.items()}
        self._runs = {name: record.read_trials() if record.uri else {} for name, record in records.items()}
        self._superseded_runs = {name: record.read_superseded_trials() for name, record in records.items()}

    def list_ids(self, experiment: str) -> list[str]:
        """Return the ids of an experiment's trials in its order, then those that are recorded with other settings."""
        return list(dict.fromkeys([*self._trials[experiment], *self._runs[experiment]]))

    def list_ids_with_archived(self, experiment: str) -> list[str]:
        """Return the ids of an experiment's trials, then those of which only archived runs are left."""
        return list(dict.fromkeys([*self.list_ids(experiment), *self._superseded_runs[experiment]]))

    def list_all_ids(self) -> list[str]:
        """Return the ids of all experiments' trials, then those of which only a folder is left."""
        ids = [identity for experiment in self.records for identity in self.list_ids_with_archived(experiment)]
        return list(dict.fromkeys(ids + self.list_ids_with_folder()))

    def list_ids_with_folder(self) -> list[str]:
        """Return the ids of all trials that have a folder, current or archived."""
        names = (n for n in self.folder_names if re.fullmatch("[0-9a-f]{12}", n) or ARCHIVED_NAME.fullmatch(n))
        return sorted({name[:12] for name in names})

    def list_trials(self, experiment: str) -> list[TrialSummary]:
        """Return the current trials of an experiment."""
        return self._summarise_all(self.list_ids(experiment), experiment)

    def list_archived(self, experiment: str) -> list[TrialSummary]:
        """Return the archived versions of an experiment's trials, oldest first for each trial."""
        with ThreadPoolExecutor(READERS) as pool:
            ids = self.list_ids_with_archived(experiment)
            versions = pool.map(lambda identity: self._archived_versions(identity, experiment), ids)
            return [version for of_trial in versions for version in of_trial]

    def find(self, prefix: str) -> TrialSummary:
        """Return the trial whose id starts with ``prefix``.

        Raises:
            HarnessError: No trial's id starts like this, or several trials' ids do.
        """
        digits = prefix.strip().lower()
        if not re.fullmatch(f"[0-9a-f]{{{FEWEST_DIGITS},12}}", digits):
            raise HarnessError(
                f"'{prefix}' is not the id of a trial, nor the first {FEWEST_DIGITS} or more digits of one",
                remedy="`harness trials` lists all ids.",
            )
        ids = self.list_all_ids()
        matches = [identity for identity in ids if identity.startswith(digits)]
        if len(matches) != 1:
            raise self._ambiguous(prefix, matches) if matches else _unknown(prefix, ids)
        (identity,) = matches
        return self._summarise(identity, self._main_experiment(identity))

    def with_recorded_history(self, trial: TrialSummary) -> TrialSummary:
        """Return a recorded trial with its history from the record, if no checkpoint holds its whole history."""
        if trial.is_trained or trial.run is None or not trial.run.is_recorded or trial.archive_note is not None:
            return trial
        histories = self.records[trial.experiments[0]].read_histories([trial.id])
        return replace(trial, history=histories[0]) if histories else trial

    def read_traceback(self, trial: TrialSummary) -> str:
        """Return the traceback of a failed trial, from its last attempt or else from the record; empty if none is kept.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        if trial.last_attempt is not None and trial.last_attempt.trace:
            return trial.last_attempt.trace
        if trial.run is None or trial.run.status != TrialStatus.FAILED or not trial.run.run_id:
            return ""
        try:
            return self.records[trial.experiments[0]].read_traceback(trial.run.run_id)
        except StoreUnavailable:
            raise
        except HarnessError:
            return ""

    def experiments_of(self, identity: str) -> list[str]:
        """Return the names of the experiments that hold a trial, first those whose current settings contain it."""
        names = [
            name for name in self.records if identity in self.list_ids(name) or identity in self._superseded_runs[name]
        ]
        return sorted(names, key=lambda name: identity not in self._trials[name])

    def _main_experiment(self, identity: str) -> str:
        """Return the experiment that has recorded a trial, else one that contains it; empty if there is none."""
        names = self.experiments_of(identity)
        finished = [n for n in names if identity in self._runs[n] and self._runs[n][identity].is_recorded]
        return (finished or names or [""])[0]

    def _ambiguous(self, prefix: str, matches: Sequence[str]) -> HarnessError:
        named = "; ".join(f"{i} ({self._summarise(i, self._main_experiment(i)).label})" for i in matches[:MOST_NAMED])
        more = f", and {len(matches) - MOST_NAMED} more" if len(matches) > MOST_NAMED else ""
        return HarnessError(
            f"{len(matches)} trials' ids start with '{prefix}': {named}{more}",
            remedy="Give more digits. `harness trials` lists all ids.",
        )

    def _summarise_all(self, ids: Iterable[str], experiment: str) -> list[TrialSummary]:
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda identity: self._summarise(identity, experiment), ids))

    def _summarise(self, identity: str, experiment: str) -> TrialSummary:
        """Read everything about a trial, as one experiment records it."""
        folder = self.storage / identity
        has_folder = identity in self.folder_names
        history, damage = read_readable_history(folder, identity) if has_folder else (None, ())
        run = self._runs.get(experiment, {}).get(identity)
        if self._has_no_store and history is not None and history.is_complete:
            run = RecordedTrial("", history.outcome, "FINISHED", name=history.trial.label, seconds=history.seconds)
        versions = self._archived_versions(identity, experiment)
        trial = self._trials.get(experiment, {}).get(identity)
        if trial is None and run is None and not has_folder and versions:
            # No experiment would train the trial any more: its newest archived version is all that is left.
            return versions[-1]
        rerun = self.storage / f"{identity}{RERUN_SUFFIX}"
        return TrialSummary(
            id=identity,
            experiments=tuple(dict.fromkeys([*([experiment] if experiment else []), *self.experiments_of(identity)])),
            trial=trial,
            folder=folder,
            run=run,
            history=history,
            attempts=tuple(read_attempts(folder)) if has_folder else (),
            damage=damage,
            archived=tuple((str(v.folder), v.archive_note) for v in versions if v.archive_note is not None),
            unfinished_rerun=read_readable_history(rerun / identity, identity)[0]
            if rerun.name in self.folder_names
            else None,
            is_current=trial is not None,
        )

    def _archived_versions(self, identity: str, experiment: str) -> list[TrialSummary]:
        """Return the archived versions of a trial, oldest first: from its folders, or else from its superseded runs."""
        runs = self._superseded_runs.get(experiment, {}).get(identity, [])
        folders = [self.storage / name for name in archived_names(self.folder_names, identity)]
        trial = self._trials.get(experiment, {}).get(identity)
        experiments = (experiment,) if experiment else ()
        if not folders:
            folder = self.storage / identity
            return [TrialSummary(identity, experiments, trial, folder, run, archive_note=_note_of(run)) for run in runs]
        versions = []
        for number, folder in enumerate(folders):
            history, damage = read_readable_history(folder, identity)
            note = read_archive_note(folder)
            # A folder and its run were archived together, so the newest folder belongs to the newest run.
            position = number - len(folders) + len(runs)
            run = runs[position] if position >= 0 else None
            if not note.reason and run is not None:
                note = _note_of(run)
            attempts = tuple(read_attempts(folder))
            versions.append(
                TrialSummary(identity, experiments, trial, folder, run, history, attempts, damage, archive_note=note)
            )
        return versions


def _note_of(run: RecordedTrial) -> ArchiveNote:
    """Return the archive note of a superseded run, whose error is the reason."""
    return ArchiveNote(reason=run.error, at=run.at)


def _unknown(prefix: str, ids: Sequence[str]) -> HarnessError:
    hint = suggest_nearest(prefix, ids)
    # A list of thousands of ids would fill the screen.
    hint = hint if len(ids) <= MOST_NAMED or not hint.startswith("Known") else ""
    remedy = f"{hint} `harness trials` lists all ids.".strip()
    return HarnessError(f"no trial's id starts with '{prefix}'", remedy=remedy)
