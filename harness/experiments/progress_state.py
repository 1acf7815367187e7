"""The state of a plan's trials while they run: where each is, how many are done, and the time that is left."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

from harness.execution.progress import Progress
from harness.experiments.planning.plan import Plan
from harness.specs.experiment.trial_status import TrialStatus

NOT_DONE = (TrialStatus.INTERRUPTED, TrialStatus.SUPERSEDED)
"""The last states of trials that this run leaves to another one."""


class ProgressState:
    """The newest progress of each trial of a plan.

    Attributes:
        planned: The trials to run, by id.
        running: The newest progress of each running trial, by id.
        ended: The last progress of each ended trial, by id.
        stage: In an adaptive experiment, the stage of the plan.
    """

    def __init__(self, plan: Plan) -> None:
        self.planned = {planned.trial.id: planned for planned in plan.to_run}
        self.total_seconds = sum(planned.seconds for planned in self.planned.values()) or 1.0
        self.running: dict[str, Progress] = {}
        self.ended: dict[str, Progress] = {}
        self.started = time.monotonic()
        self.stage = plan.stage

    def add(self, progress: Progress) -> None:
        """Keep a trial's newest progress."""
        if not self.running and not self.ended:
            # The time in which workers start says nothing about the time that trials take.
            self.started = time.monotonic() - progress.seconds
        if progress.status == TrialStatus.RUNNING:
            self.running[progress.trial] = progress
        else:
            self.running.pop(progress.trial, None)
            self.ended[progress.trial] = progress

    def label(self, trial: str) -> str:
        """Return a trial's label."""
        return self.planned[trial].trial.label

    def epochs(self, trial: str) -> int:
        """Return the number of epochs of a trial."""
        return self.planned[trial].trial.recipe.epochs

    @property
    def done(self) -> int:
        """The number of trials that have ended and are not left to another run."""
        return sum(progress.status not in NOT_DONE for progress in self.ended.values())

    def share_done(self) -> float:
        """Return the share of the estimated time of all trials that is done, from 0 to 1."""
        seconds = [self._seconds_done(progress) for progress in self.running.values()]
        for trial, progress in self.ended.items():
            is_done = progress.status not in NOT_DONE
            seconds.append(self.planned[trial].seconds if is_done else self._seconds_done(progress))
        return sum(seconds) / self.total_seconds

    def _seconds_done(self, progress: Progress) -> float:
        """Return how much of an unfinished trial's estimated time is done."""
        planned = self.planned[progress.trial]
        epochs = planned.trial.recipe.epochs - planned.epochs_done
        return planned.seconds * max((count_epochs(progress) - planned.epochs_done) / max(epochs, 1), 0.0)

    def time_left(self) -> str:
        """Return about how long the rest takes, such as ``0:01:40``; ``?`` before anything is done."""
        share = self.share_done()
        if share <= 0:
            return "?"
        seconds = (time.monotonic() - self.started) * max(1 - share, 0) / share
        return str(timedelta(seconds=round(seconds)))

    def summarise(self) -> str:
        """Return how many trials are done and how long the rest takes, in one line."""
        statuses = Counter(progress.status for progress in self.ended.values())
        failed = f", {statuses[TrialStatus.FAILED]} failed" if statuses[TrialStatus.FAILED] else ""
        of_stage = "" if self.stage is None else " of the stage"
        return f"{self.done} of {len(self.planned)} trials{of_stage} done{failed}, about {self.time_left()} left"

    def describe_stage(self) -> list[str]:
        """Return lines on the stage and the state of each contrast before it; empty without stages."""
        if self.stage is None:
            return []
        if self.stage.decision is None:
            return [f"{self.stage}: no contrast is analysed yet".capitalize()]
        return [str(self.stage).capitalize(), *(f"  {c.short()}" for c in self.stage.decision.contrasts)]


def count_epochs(progress: Progress) -> float:
    """Return how many epochs of a trial are done, with the part of the present one."""
    return progress.epoch + (progress.step / progress.steps if progress.steps else 0.0)


def describe_step(progress: Progress) -> str:
    """Return where a running trial is inside its epoch, such as ``step 4/12``; empty if that is not known."""
    if not progress.steps:
        return ""
    return "evaluating" if progress.step == progress.steps else f"step {progress.step}/{progress.steps}"
