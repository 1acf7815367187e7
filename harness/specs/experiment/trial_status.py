"""The one vocabulary of what a trial's state can be, from its checkpoint to the terminal."""

from __future__ import annotations

from enum import StrEnum


class TrialStatus(StrEnum):
    """How far a trial is, or how it ended."""

    NEW = "new"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    PRUNED = "pruned"
    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"
    UNPUBLISHED = "unpublished"
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"

    @property
    def is_complete(self) -> bool:
        """Whether the training ended for good, with a result: nothing of the trial is left to train."""
        return self in (TrialStatus.FINISHED, TrialStatus.DIVERGED, TrialStatus.PRUNED)

    @property
    def description(self) -> str:
        """What the state means, in one short clause."""
        return DESCRIPTIONS[self]


DESCRIPTIONS = {
    TrialStatus.NEW: "not trained yet",
    TrialStatus.RUNNING: "a process trains it now",
    TrialStatus.INTERRUPTED: "stopped before its end; the next run resumes it from its checkpoint",
    TrialStatus.PRUNED: "ended early by the search's scheduler, for good",
    TrialStatus.FINISHED: "trained to its last epoch and recorded",
    TrialStatus.DIVERGED: "ended by a loss that is not finite, and recorded",
    TrialStatus.FAILED: "ended by an error",
    TrialStatus.UNPUBLISHED: "trained, but not yet in the record",
    TrialStatus.SUPERSEDED: "archived, because it was trained again or another attempt took it over",
    TrialStatus.DISCARDED: "archived by a user",
}
