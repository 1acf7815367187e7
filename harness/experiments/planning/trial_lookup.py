"""Whether a trial still has to be trained: it is looked up in the record, in its checkpoints, and in other experiments.

A failed trial is not complete, so it is planned again: from its checkpoint, or from the beginning.
"""

from __future__ import annotations

from collections.abc import Collection

from harness.experiments.planning.planned_trial import PlannedTrial
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment, Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History, find_ensemble_seeds, read_newest_history
from harness.tracking.record import Record


class TrialLookup:
    """How far each trial of an experiment is, read from the record and the checkpoints.

    Args:
        retrain: Ids of trials that are planned as if nothing of them were trained.

    Attributes:
        finished: Recorded trials by id, those to retrain left out.
        histories: Histories in the checkpoints of the other trials, by id.
    """

    def __init__(self, study: ResolvedExperiment, record: Record, storage: Folder, retrain: Collection[str]) -> None:
        self.study, self.recorded = study, record.read_trials()
        self.finished = {i: run for i, run in self.recorded.items() if run.is_recorded and i not in retrain}
        self.unfinished = [trial.id for trial in study.all_trials if trial.id not in self.finished]
        self.histories: dict[str, History] = {}
        folders = set(storage.list_names()) - set(retrain)
        for identity in self.unfinished:
            history = read_newest_history(storage / identity, identity) if identity in folders else None
            if history is not None:
                self.histories[identity] = history
        missing = [
            identity for identity in self.unfinished if identity not in self.histories and identity not in retrain
        ]
        self.in_other_experiments = record.find_in_other_experiments(missing) if missing else {}

    def plan_trial(self, trial: Trial, seconds: float) -> PlannedTrial:
        """Return a trial with its status.

        Args:
            seconds: Estimated time of the whole trial.
        """
        part = self.study.purpose_of(trial)
        if trial.id in self.finished:
            return PlannedTrial(trial, self.finished[trial.id].status, 0.0, part=part)
        if trial.id in self.in_other_experiments:
            return PlannedTrial(trial, TrialStatus.UNPUBLISHED, 0.0, part=part, in_other_experiment=True)
        history = self.histories.get(trial.id)
        if history is None:
            return PlannedTrial(trial, TrialStatus.NEW, seconds, part=part)
        if history.is_complete:
            return PlannedTrial(trial, TrialStatus.UNPUBLISHED, 0.0, history.last_epoch, part)
        return PlannedTrial(
            trial,
            TrialStatus.INTERRUPTED,
            (1 - history.last_epoch / trial.recipe.epochs) * seconds,
            history.last_epoch,
            part,
            find_ensemble_seeds(history),
            history.provenance.get("execution", {}).get("memory_format", ""),
        )

    def count_started_without_checkpoint(self) -> int:
        """Return the number of unfinished trials that were started, but have no checkpoint in this storage."""
        started = (i for i in self.unfinished if i in self.recorded and self.recorded[i].has_begun)
        return sum(identity not in self.histories for identity in started)
