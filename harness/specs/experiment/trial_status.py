"""The states of a trial, named the same everywhere from its checkpoint to the terminal."""

from __future__ import annotations

from enum import StrEnum


class TrialStatus(StrEnum):
    """The state of a trial: how far it is, or how it ended."""

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
        """Whether training has ended with a result, so that nothing is left to train."""
        return self in (TrialStatus.FINISHED, TrialStatus.DIVERGED, TrialStatus.PRUNED)

    @property
    def description(self) -> str:
        """Meaning of the state, in one short clause."""
        return DESCRIPTIONS[self]


DESCRIPTIONS = {
    TrialStatus.NEW: "not trained yet",
    TrialStatus.RUNNING: "being trained by a process now",
    TrialStatus.INTERRUPTED: "stopped before its end; the next run resumes it from its checkpoint",
    TrialStatus.PRUNED: "ended early by the search's scheduler, for good",
    TrialStatus.FINISHED: "trained to its last epoch and recorded",
    TrialStatus.DIVERGED: "ended by a loss that is not finite, and recorded",
    TrialStatus.FAILED: "ended by an error",
    TrialStatus.UNPUBLISHED: "trained, but not yet in the record",
    TrialStatus.SUPERSEDED: "archived, because it was trained again or another attempt took it over",
    TrialStatus.DISCARDED: "archived by a user",
}
