"""One trial as record, journal and attempts together know it. It only reads, and needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import HarnessError
from harness.execution.archive import DISCARDED, ArchiveNote
from harness.execution.attempts import Attempt
from harness.io.storage import Folder
from harness.specs import Trial
from harness.tracking.history import History, NewerFormat, OtherTrial, newest_journal
from harness.tracking.mlflow_record.reader import RecordedTrial

STATES = {
    "recorded": "in the record, with its whole history",
    "diverged": "recorded; its loss was not finite",
    "unpublished": "trained; the store does not have it yet",
    "running": "a process trains it",
    "died": "its process is gone without a word",
    "stopped": "to go on from its checkpoint",
    "failed": "an error ended it",
    "new": "nothing is trained of it yet",
    "discarded": "put aside by a user",
    "superseded": "put aside, since it was trained again",
}
"""States of a trial, in the order in which they are counted up."""


@dataclass(frozen=True)
class TrialSummary:
    """One trial, or one that was put aside.

    Attributes:
        experiments: Those that it belongs to, the one that is spoken of first; none where only a folder is left.
        trial: Its spec; None for a run of other settings whose folder is gone.
        run: In the record.
        journal: The history in its newest checkpoint that can be read.
        troubles: What is wrong with its checkpoints.
        aside: Where it was put aside before, and why.
        again: The history of a rerun that came to no end.
        why: Why it is put aside itself.
        current: Whether the experiment would train it as it was last run.
    """

    id: str
    experiments: tuple[str, ...]
    trial: Trial | None
    folder: Folder
    run: RecordedTrial | None = None
    journal: History | None = None
    attempts: tuple[Attempt, ...] = ()
    troubles: tuple[str, ...] = ()
    aside: tuple[tuple[str, ArchiveNote], ...] = ()
    again: History | None = None
    why: ArchiveNote | None = None
    current: bool = True

    @property
    def last(self) -> Attempt | None:
        """Its newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def done(self) -> bool:
        """Whether its journal holds the trial to its end."""
        return self.journal is not None and self.journal.done

    @property
    def alive(self) -> bool:
        """Whether a process of this host certainly trains it."""
        return self._open and self.last is not None and self.last.process.here and not self.last.process.gone

    @property
    def _open(self) -> bool:
        return self.last is not None and not self.last.ended and not self.done and self.why is None

    @property
    def state(self) -> str:
        """One of :data:`STATES`."""
        if self.why is not None:
            return "discarded" if self.why.reason.startswith(DISCARDED) else "superseded"
        if self.alive:
            return "running"
        if self.run is not None and self.run.finished:
            return "diverged" if self.run.outcome == "diverged" else "recorded"
        if self.done:
            return "unpublished"
        if self.last is None:
            return self._state_in_store()
        if self._open:
            return "died" if self.last.process.gone else "running"
        return "failed" if self.last.ended == "failed" else "stopped"

    def _state_in_store(self) -> str:
        """Without attempts, as where checkpoints lie elsewhere, the store says what it knows."""
        status = self.run.status if self.run is not None else ""
        known = {"FAILED": "failed", "KILLED": "stopped", "RUNNING": "running"}
        return known.get(status, "stopped" if self.journal is not None else "new")

    @property
    def state_shown(self) -> str:
        """The state, with the doubt there is about processes that cannot be looked at from here."""
        if self.state != "running" or self.alive:
            return self.state
        return f"running on {self.last.process.host}?" if self.last is not None else "running?"

    @property
    def spec(self) -> Trial | None:
        """What was to be trained, from wherever it is known."""
        return self.trial or (self.journal.trial if self.journal is not None else None)

    @property
    def label(self) -> str:
        """What a person calls it."""
        return self.spec.label if self.spec is not None else self.run.name if self.run is not None else self.id

    @property
    def variant(self) -> str:
        """Its variant's name."""
        return self.label.partition(" seed ")[0]

    @property
    def seed(self) -> int | None:
        """Its seed."""
        seed = self.label.partition(" seed ")[2]
        return int(seed) if seed.isdigit() else None

    @property
    def epochs(self) -> int | None:
        """Its budget."""
        return self.spec.recipe.epochs if self.spec is not None else None

    @property
    def epoch(self) -> int | None:
        """The last epoch that was measured; None where nobody here knows."""
        if self.journal is not None:
            return self.journal.last_epoch
        if self.run is not None and self.run.outcome == "finished":
            return self.epochs
        if self.last is not None:
            return self.last.epoch
        return 0 if self.state == "new" else None

    @property
    def at(self) -> int:
        """When something was last heard of it, in milliseconds since 1970; 0 for never."""
        heard = [self.journal.epochs[-1].at] if self.journal is not None and self.journal.epochs else []
        if self.last is not None:
            heard.append(self.last.started)
        if heard or self.run is None or self.state == "new":
            return max(heard, default=0)
        return self.run.at

    def measured(self, key: str) -> float | None:
        """A metric where it was last measured."""
        for epoch in reversed(self.journal.epochs if self.journal is not None else ()):
            if key in epoch.metrics:
                return epoch.metrics[key]
        return None

    @property
    def error(self) -> str:
        """Why it failed; empty where it did not."""
        if self.state != "failed":
            return ""
        said = self.last.error if self.last is not None else ""
        return said or (self.run.error if self.run is not None else "")

    @property
    def note(self) -> str:
        """What else a user should know: all of it, on one line."""
        parts: list[str] = list(self.troubles)
        if self.why is not None:
            parts.append(self.why.reason or "nobody wrote why")
        elif self.state == "died" and self.last is not None:
            parts.append(f"{self.last.process} is gone; it had begun at epoch {self.last.epoch}")
        elif self.state == "running" and self.last is not None:
            parts.append(str(self.last.process))
        elif self.state == "stopped" and self.run is not None:
            parts.append(self.run.error)
        elif self.state == "new" and self.aside:
            parts.append(self.aside[-1][1].reason)
        if not self.current:
            parts.append("of other settings than the last run")
        elif self.last is None and self.run is not None and self.run.status not in ("SCHEDULED", ""):
            parts.append(f"no checkpoints of it in {self.folder}" * (not self.run.finished))
        parts += self.last.notes if self.last is not None else ()
        return "; ".join(dict.fromkeys(part for part in parts if part))


def newest_readable(folder: Folder, trial: str) -> tuple[History | None, tuple[str, ...]]:
    """A trial's newest history that can be read, and what is wrong with newer ones: a list goes on past damage.

    Raises:
        HarnessError: The storage does not answer.
    """
    troubles: list[str] = []

    def damaged(checkpoint: str, error: HarnessError) -> None:
        troubles.append(f"{checkpoint} is damaged ({error.what})")

    try:
        return newest_journal(folder, trial, damaged), tuple(troubles)
    except (NewerFormat, OtherTrial) as error:
        return None, (*troubles, str(error))
