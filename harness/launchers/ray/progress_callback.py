"""The Tune callback that passes the progress of trials to the driver, and ends the run when no trial runs any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ray import tune

from harness.execution.progress import Progress
from harness.execution.trial_group import TrialGroup
from harness.launchers.base import ReportProgress
from harness.launchers.stop_request import StopRequest
from harness.specs.experiment.trial_status import TrialStatus

MAX_WORKER_DEATHS = 20
"""How often Tune restarts a group whose worker died. A trial that does not advance is given up before that."""


class AllStopped(BaseException):
    """After a stop request no trial runs any more. Not an Exception, which Tune would handle itself."""


class ProgressCallback(tune.Callback):
    """Passes each progress that a worker reports to the driver.

    Args:
        groups: By index, which is ``config["group"]`` of a Tune trial.

    Attributes:
        running: The Tune trials that have started and still have trials that have not ended.
        ended: The ids of the trials that have reported their last progress.
    """

    def __init__(self, groups: Sequence[TrialGroup], report: ReportProgress, stop: StopRequest) -> None:
        self.groups, self.report, self.stop = groups, report, stop
        self.running: set[str] = set()
        self.ended: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Return an empty state: Tune pickles its callbacks, but a live display cannot be pickled, nor is it needed."""
        return {}

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Note that a group has started."""
        self.running.add(trial.trial_id)

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Pass a trial's progress to the driver."""
        progress = Progress(**{field.name: result[field.name] for field in fields(Progress)})
        self.report(progress)
        if progress.status is not TrialStatus.RUNNING:
            self.ended.add(progress.trial)
            if not self._open_trials(trial):
                self.running.discard(trial.trial_id)

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Note that a group's worker died; Tune will start the group again."""
        self.running.discard(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Report the trials of a group as failed, because its worker died too often."""
        self.running.discard(trial.trial_id)
        message = f"its worker died {MAX_WORKER_DEATHS + 1} times; the machine may be short of memory"
        for trial_id in self._open_trials(trial):
            self.report(Progress(trial_id, TrialStatus.FAILED, message=message, traceback=message))

    def on_step_end(self, iteration: int, trials: Any, **_: Any) -> None:
        """End the run after a stop request. Tune would start each waiting group, only for it to stop at once."""
        if self.stop.is_requested and not self.running:
            raise AllStopped

    def _open_trials(self, tune_trial: Any) -> list[str]:
        """Return the ids of a group's trials that have not ended."""
        tasks = self.groups[tune_trial.config["group"]].tasks
        return [task.trial.id for task in tasks if task.trial.id not in self.ended]
