"""The parts of a plan: single trials, trial groups, and trials that depend on results which are still missing."""

from __future__ import annotations

from dataclasses import dataclass

from harness.specs import Execution, Trial
from harness.specs.experiment.trial_status import TrialStatus


@dataclass(frozen=True)
class PlannedTrial:
    """A trial of a plan: its status, and how much of it is left to train.

    Attributes:
        status: NEW, INTERRUPTED, UNPUBLISHED, or the status with which the trial is recorded.
        seconds: Estimated time that its training still takes.
        epochs_done: Epochs in its newest checkpoint.
        part: Its purpose: ``common``, ``search`` or ``tuned`` (see :meth:`ResolvedExperiment.purpose_of`).
        ensemble_seeds: Seeds of the ensemble in which the trial was started, its own included. Empty for a new trial
            and for one that trains alone.
        memory_format: Memory format with which the trial was started. Empty for a new trial.
        in_other_experiment: Whether the trial is UNPUBLISHED because only another experiment of the store records it.
    """

    trial: Trial
    status: TrialStatus
    seconds: float
    epochs_done: int = 0
    part: str = "common"
    ensemble_seeds: tuple[int, ...] = ()
    memory_format: str = ""
    in_other_experiment: bool = False

    @property
    def is_search(self) -> bool:
        """Whether the trial belongs to a search for a recipe."""
        return self.part == "search"

    @property
    def needs_training(self) -> bool:
        """Whether some of its epochs are not trained yet."""
        return self.status in (TrialStatus.NEW, TrialStatus.INTERRUPTED)

    def execution(self, settings: Execution) -> Execution:
        """Return the experiment's execution settings, with the memory format in which this trial was started."""
        return settings.model_copy(update={"memory_format": self.memory_format or settings.memory_format})


@dataclass(frozen=True)
class PlannedGroup:
    """Trials that a launcher starts together.

    Attributes:
        ensemble_seeds: Seeds of the ensemble that trains them, in its order. Empty for a trial that trains alone. An
            ensemble that was interrupted may contain seeds that are already trained.
    """

    trials: tuple[PlannedTrial, ...]
    ensemble_seeds: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        """Estimated time that is left, as the sum over its trials."""
        return sum(planned.seconds for planned in self.trials)


@dataclass(frozen=True)
class PendingTrials:
    """Trials that are known by number only, because they depend on results of a search.

    Attributes:
        name: Name that their variant will have.
        part: ``search`` or ``tuned``.
        trials: Number of trials.
        seconds: Estimated time of all of them.
    """

    name: str
    part: str
    trials: int
    seconds: float
