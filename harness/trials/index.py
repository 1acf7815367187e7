"""The trials of some experiments: listed, found by the first digits of an id, also those that were put aside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from harness.errors import HarnessError, suggest_nearest
from harness.execution.archive import RERUN_SUFFIX, ARCHIVED_NAME, ArchiveNote, read_archive_note, archived_names
from harness.execution.attempts import read_attempts
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.mlflow_record.reader import RecordedTrial
from harness.tracking.record import Record
from harness.trials.status import TrialSummary, newest_readable

READERS = 8
SHORTEST = 4
"""Digits of an id that name a trial, at least."""
MOST_NAMED = 8


class TrialIndex:
    """All trials of some experiments that share a store and a storage.

    Args:
        records: By the experiment's name.
        studies: The same experiments as they were last run.
        storage: Where checkpoints are.

    Raises:
        HarnessError: The store or the storage does not answer.
    """

    def __init__(
        self, records: Mapping[str, Record], studies: Mapping[str, ResolvedExperiment], storage: Folder
    ) -> None:
        self.records, self.studies, self.storage = records, studies, storage
        self.names = set(storage.list_names())
        self._no_store = all(isinstance(record, CheckpointRecord) for record in records.values())
        self._trials = {name: {t.id: t for t in study.all_trials} for name, study in studies.items()}
        self._runs = {n: {} if isinstance(r, CheckpointRecord) else r.trials() for n, r in records.items()}
        self._old = {name: record.superseded() for name, record in records.items()}

    def ids(self, name: str) -> list[str]:
        """Of an experiment: in its order, then what is recorded of other settings."""
        return list(dict.fromkeys([*self._trials[name], *self._runs[name]]))

    def all_of(self, name: str) -> list[str]:
        """The same, then those that were put aside and are of other settings."""
        return list(dict.fromkeys([*self.ids(name), *self._old[name]]))

    def all_ids(self) -> list[str]:
        """Of all experiments, then those of which there is only a folder."""
        known = [identity for name in self.records for identity in self.all_of(name)]
        return list(dict.fromkeys(known + self.ids_of_folders()))

    def ids_of_folders(self) -> list[str]:
        """Those that have a folder, also one that was put aside."""
        return sorted({name[:12] for name in self.names if re.fullmatch("[0-9a-f]{12}", name) or ARCHIVED_NAME.fullmatch(name)})

    def of(self, name: str) -> list[TrialSummary]:
        """The trials of an experiment, as they are now."""
        return self._read(self.ids(name), name)

    def aside_of(self, name: str) -> list[TrialSummary]:
        """What was put aside of an experiment, oldest first for each trial."""
        with ThreadPoolExecutor(READERS) as pool:
            versions = pool.map(lambda identity: self._versions(identity, name), self.all_of(name))
            return [old for olds in versions for old in olds]

    def find(self, prefix: str) -> TrialSummary:
        """The trial whose id begins so.

        Raises:
            HarnessError: There is none, or there are several.
        """
        word = prefix.strip().lower()
        if not re.fullmatch(f"[0-9a-f]{{{SHORTEST},12}}", word):
            raise HarnessError(
                f"'{prefix}' is no id of a trial, nor the first {SHORTEST} digits of one",
                remedy="`harness trials` lists them.",
            )
        ids = self.all_ids()
        matches = [identity for identity in ids if identity.startswith(word)]
        if len(matches) != 1:
            raise self._not_one(prefix, matches, ids)
        (identity,) = matches
        return self._read([identity], self._home_of(identity))[0]

    def _not_one(self, prefix: str, matches: Sequence[str], ids: Sequence[str]) -> HarnessError:
        if matches:
            named = "; ".join(f"{i} ({self._read([i], self._home_of(i))[0].label})" for i in matches[:MOST_NAMED])
            more = f", and {len(matches) - MOST_NAMED} more" if len(matches) > MOST_NAMED else ""
            return HarnessError(
                f"{len(matches)} trials begin with '{prefix}': {named}{more}",
                remedy="Give more digits; `harness trials` lists them all.",
            )
        hint = suggest_nearest(prefix, ids)
        # With thousands of trials the words would fill the screen.
        hint = hint if len(ids) <= MOST_NAMED or not hint.startswith("Known") else ""
        return HarnessError(f"no trial begins with '{prefix}'", remedy=f"{hint} `harness trials` lists them.".strip())

    def experiments_of(self, identity: str) -> list[str]:
        """Names of the experiments that hold a trial, those that would train it first."""
        holding = [name for name in self.records if identity in self.ids(name) or identity in self._old[name]]
        return sorted(holding, key=lambda name: identity not in self._trials[name])

    def _home_of(self, identity: str) -> str:
        """The experiment through which a trial is spoken of: where it is recorded, else where it is to be."""
        holding = self.experiments_of(identity)
        finished = [n for n in holding if identity in self._runs[n] and self._runs[n][identity].finished]
        return (finished or holding or [""])[0]

    def _read(self, ids: Iterable[str], name: str) -> list[TrialSummary]:
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda identity: self._look(identity, name), ids))

    def _look(self, identity: str, name: str) -> TrialSummary:
        folder = self.storage / identity
        journal, troubles = newest_readable(folder, identity) if identity in self.names else (None, ())
        run = self._runs.get(name, {}).get(identity)
        if self._no_store and journal is not None and journal.done:
            run = RecordedTrial(
                "", True, journal.seconds, "FINISHED", name=journal.trial.label, outcome=journal.outcome
            )
        versions = self._versions(identity, name)
        trial = self._trials.get(name, {}).get(identity)
        again = self.storage / f"{identity}{RERUN_SUFFIX}"
        known = TrialSummary(
            id=identity,
            experiments=tuple(dict.fromkeys([*([name] if name else []), *self.experiments_of(identity)])),
            trial=trial,
            folder=folder,
            run=run,
            journal=journal,
            attempts=tuple(read_attempts(folder)) if identity in self.names else (),
            troubles=troubles,
            aside=tuple((str(old.folder), old.why) for old in versions if old.why is not None),
            again=newest_readable(again / identity, identity)[0] if again.name in self.names else None,
            current=trial is not None,
        )
        # Of a trial that nobody would train any more, the newest that was put aside is all there is.
        gone = trial is None and run is None and identity not in self.names
        return versions[-1] if gone and versions else known

    def _versions(self, identity: str, name: str) -> list[TrialSummary]:
        """What was put aside of a trial: its folders, or where there are none any more its runs."""
        runs = self._old.get(name, {}).get(identity, [])
        folders = archived_names(self.names, identity)
        trial = self._trials.get(name, {}).get(identity)
        experiments = (name,) if name else ()
        if not folders:
            reasons = [(run, ArchiveNote(reason=run.error, at=run.at)) for run in runs]
            return [
                TrialSummary(identity, experiments, trial, self.storage / identity, run=run, why=reason)
                for run, reason in reasons
            ]
        found = []
        for number, folder in enumerate(self.storage / each for each in folders):
            journal, troubles = newest_readable(folder, identity)
            reason = read_archive_note(folder)
            # Folder and run were put aside together; the newest ones correspond.
            place = number - len(folders) + len(runs)
            run = runs[place] if place >= 0 else None
            if not reason.reason and run is not None:
                reason = ArchiveNote(reason=run.error, at=run.at)
            tried = tuple(read_attempts(folder))
            found.append(TrialSummary(identity, experiments, trial, folder, run, journal, tried, troubles, why=reason))
        return found
