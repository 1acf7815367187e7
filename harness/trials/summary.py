"""The summary of one trial: everything that the record, its checkpoints and its attempts hold about it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import HarnessError
from harness.execution.archive import DISCARD_PREFIX, ArchiveNote
from harness.execution.attempts import Attempt
from harness.io.storage import Folder
from harness.specs import Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History, NewerFormat, WrongTrial, read_newest_history
from harness.tracking.recorded_trial import RecordedTrial

NO_REASON = "no reason is recorded"


@dataclass(frozen=True)
class TrialSummary:
    """One trial as it is now, or one archived version of it.

    Attributes:
        experiments: Names of the experiments that contain it, first the one through which it was found. Empty if only
            its folder is left.
        trial: Its spec; None if no experiment contains it any more.
        run: Its run in the record.
        history: The history in its newest readable checkpoint.
        attempts: Its attempts, oldest first.
        damage: One text for each checkpoint that cannot be read.
        archived: Its archived versions: the folder of each and the note in it.
        unfinished_rerun: The history of a rerun that did not end.
        archive_note: Why this version was archived; None for the current version.
        is_current: Whether the experiment, as it was last run, contains the trial.
    """

    id: str
    experiments: tuple[str, ...]
    trial: Trial | None
    folder: Folder
    run: RecordedTrial | None = None
    history: History | None = None
    attempts: tuple[Attempt, ...] = ()
    damage: tuple[str, ...] = ()
    archived: tuple[tuple[str, ArchiveNote], ...] = ()
    unfinished_rerun: History | None = None
    archive_note: ArchiveNote | None = None
    is_current: bool = True

    @property
    def last_attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def is_trained(self) -> bool:
        """Whether a checkpoint holds the trial's whole history."""
        return self.history is not None and self.history.is_complete

    @property
    def is_running_here(self) -> bool:
        """Whether a process of this host is certainly training it."""
        last = self.last_attempt
        return self._has_open_attempt and last is not None and last.process.is_local and not last.process.has_ended

    def require_idle(self) -> None:
        """Check that no process of this host trains the trial.

        Raises:
            HarnessError: A process does.
        """
        if self.is_running_here and self.last_attempt is not None:
            raise HarnessError(
                f"{self.label} is being trained by {self.last_attempt.process}",
                where=f"trial {self.id}",
                remedy="Stop that process first. Nothing was changed.",
            )

    @property
    def has_died(self) -> bool:
        """Whether the process of its newest attempt is gone and recorded no end."""
        last = self.last_attempt
        return self.status == TrialStatus.INTERRUPTED and last is not None and last.end_status is None

    @property
    def _has_open_attempt(self) -> bool:
        """Whether the newest attempt has recorded no end, although the trial is not complete."""
        last = self.last_attempt
        return last is not None and last.end_status is None and not self.is_trained and self.archive_note is None

    @property
    def status(self) -> TrialStatus:
        """The trial's status, derived from all sources together."""
        if self.archive_note is not None:
            is_discarded = self.archive_note.reason.startswith(DISCARD_PREFIX)
            return TrialStatus.DISCARDED if is_discarded else TrialStatus.SUPERSEDED
        if self.is_running_here:
            return TrialStatus.RUNNING
        if self.run is not None and self.run.is_recorded:
            return self.run.status
        if self.is_trained:
            return TrialStatus.UNPUBLISHED
        last = self.last_attempt
        if last is None:
            return self._status_in_record()
        if last.end_status is None:
            return TrialStatus.INTERRUPTED if last.process.has_ended else TrialStatus.RUNNING
        return TrialStatus.FAILED if last.end_status == TrialStatus.FAILED else TrialStatus.INTERRUPTED

    def _status_in_record(self) -> TrialStatus:
        """Return the status of a trial without attempts, for example because its checkpoints lie in another storage."""
        if self.run is not None and self.run.has_begun:
            return self.run.status
        return TrialStatus.NEW if self.history is None else TrialStatus.INTERRUPTED

    @property
    def status_text(self) -> str:
        """The status, with a question mark if its process is on another host and cannot be checked from here."""
        if self.status != TrialStatus.RUNNING or self.is_running_here:
            return self.status.value
        return f"running on {self.last_attempt.process.host}?" if self.last_attempt is not None else "running?"

    @property
    def spec(self) -> Trial | None:
        """The trial's spec, from its experiment or else from its checkpoint."""
        return self.trial or (self.history.trial if self.history is not None else None)

    @property
    def label(self) -> str:
        """The trial's name for people, such as ``cifar-resnet20 seed 3``."""
        return self.spec.label if self.spec is not None else self.run.name if self.run is not None else self.id

    @property
    def variant(self) -> str:
        """The variant's name."""
        return self.label.partition(" seed ")[0]

    @property
    def seed(self) -> int | None:
        """The seed; None if it is unknown."""
        seed = self.label.partition(" seed ")[2]
        return int(seed) if seed.isdigit() else None

    @property
    def epochs(self) -> int | None:
        """Number of epochs that the trial trains for; None if it is unknown."""
        return self.spec.recipe.epochs if self.spec is not None else None

    @property
    def epoch(self) -> int | None:
        """The last measured epoch; None if it is unknown."""
        if self.history is not None:
            return self.history.last_epoch
        if self.run is not None and self.run.status == TrialStatus.FINISHED:
            return self.epochs
        if self.last_attempt is not None:
            return self.last_attempt.epoch
        return 0 if self.status == TrialStatus.NEW else None

    @property
    def last_change(self) -> int:
        """When the trial last changed, in milliseconds since 1970; 0 if it never started."""
        times = [self.history.epochs[-1].at] if self.history is not None and self.history.epochs else []
        if self.last_attempt is not None:
            times.append(self.last_attempt.started)
        if times or self.run is None or self.status == TrialStatus.NEW:
            return max(times, default=0)
        return self.run.at

    def last_value(self, metric: str) -> float | None:
        """Return the value of a metric in the last epoch that measured it."""
        for epoch in reversed(self.history.epochs if self.history is not None else ()):
            if metric in epoch.metrics:
                return epoch.metrics[metric]
        return None

    @property
    def error(self) -> str:
        """Why the trial failed; empty if it did not."""
        if self.status != TrialStatus.FAILED:
            return ""
        attempt_error = self.last_attempt.error if self.last_attempt is not None else ""
        return attempt_error or (self.run.error if self.run is not None else "")

    @property
    def note(self) -> str:
        """Everything else that a user should know, on one line."""
        parts: list[str] = [*self.damage, self._status_note()]
        if not self.is_current:
            parts.append("the experiment was last run with other settings")
        elif self.last_attempt is None and self.run is not None and self.run.has_begun:
            parts.append(f"no checkpoint in {self.folder}" * (not self.run.is_recorded))
        parts += self.last_attempt.notes if self.last_attempt is not None else ()
        return "; ".join(dict.fromkeys(part for part in parts if part))

    def _status_note(self) -> str:
        """Return what explains the status; empty if nothing does."""
        last = self.last_attempt
        if self.archive_note is not None:
            return self.archive_note.reason or NO_REASON
        if self.status == TrialStatus.RUNNING and last is not None:
            return str(last.process)
        if self.has_died and last is not None:
            return f"{last.process} is gone; it started at epoch {last.epoch}"
        if self.status == TrialStatus.INTERRUPTED and self.run is not None:
            return self.run.error
        if self.status == TrialStatus.NEW and self.archived:
            return self.archived[-1][1].reason
        return ""


def read_readable_history(folder: Folder, trial: str) -> tuple[History | None, tuple[str, ...]]:
    """Return a trial's newest readable history, and one text for each newer checkpoint that is damaged.

    Raises:
        HarnessError: The storage does not answer.
    """
    damage: list[str] = []

    def note_damage(checkpoint: str, error: HarnessError) -> None:
        damage.append(f"{checkpoint} is damaged ({error.what})")

    try:
        return read_newest_history(folder, trial, note_damage), tuple(damage)
    except (NewerFormat, WrongTrial) as error:
        return None, (*damage, str(error))
