"""What happened to a trial, as lines in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.execution.attempts import Attempt
from harness.tracking.history import Epoch
from harness.trials.status import TrialSummary

STARTED = "started"


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        at: Milliseconds since 1970; None where only its place in the order is known.
        kind: ``started``, ``epoch``, ``note``, ``ended``, ``traceback``.
        text: For a person; a traceback has many lines.
        metrics: Of an epoch.
    """

    at: int | None
    kind: str
    text: str
    attempt: int | None = None
    metrics: dict[str, Any] | None = None


def events(known: TrialSummary, trace: str = "") -> Iterator[Event]:
    """Attempts with the epochs that each measured, and how they ended.

    Args:
        trace: The store's traceback, where the attempts themselves have none.
    """
    epochs = list(known.journal.epochs) if known.journal is not None else []
    for place, attempt in enumerate(known.attempts):
        begun = f" at epoch {attempt.epoch}" + f", step {attempt.step}" * bool(attempt.step)
        text = f"attempt {attempt.number} started{begun if attempt.epoch or attempt.step else ''}, {attempt.process}"
        yield Event(attempt.started, STARTED, text, attempt.number)
        later = known.attempts[place + 1 :]
        # What two attempts measured stands once, at the time of the one whose checkpoint was kept.
        mine = [e for e in epochs if not later or e.at < later[0].started]
        epochs = epochs[len(mine) :]
        yield from (_measured(epoch, attempt.number) for epoch in mine)
        yield from (Event(None, "note", f"note: {note}", attempt.number) for note in attempt.notes)
        yield from _ended(attempt, known, last=not later)
    # An attempt whose file is gone, or whose clock was ahead.
    yield from (_measured(epoch, None) for epoch in epochs)
    if trace and not any(attempt.trace for attempt in known.attempts):
        yield Event(None, "traceback", trace.rstrip())


def _ended(attempt: Attempt, known: TrialSummary, last: bool) -> Iterator[Event]:
    if attempt.ended:
        error = f": {attempt.error}" if attempt.error else ""
        yield Event(None, "ended", f"attempt {attempt.number} {attempt.ended}{error}", attempt.number)
        if attempt.trace:
            yield Event(None, "traceback", attempt.trace.rstrip(), attempt.number)
    elif last and known.state == "running":
        yield Event(None, "ended", f"attempt {attempt.number}: {known.state_shown}", attempt.number)
    else:
        yield Event(None, "ended", f"attempt {attempt.number} died: {attempt.process} said no more", attempt.number)


def _measured(epoch: Epoch, attempt: int | None) -> Event:
    shown = (("train error", "train/error", "{:.2f} %"), ("test error", "test/error", "{:.2f} %"),
             ("lr", "optim/lr", "{:.3g}"), ("", "time/epoch_s", "{:.1f} s"))  # fmt: skip
    parts = [f"epoch {epoch.epoch:>4}"]
    for name, key, form in shown:
        if key in epoch.metrics:
            value = epoch.metrics[key]
            parts.append(f"{name} {'not finite' if value is None else form.format(value)}".strip())
    if len(parts) == 1:
        parts.append("measured before the first update")
    return Event(epoch.at, "epoch", "  ".join(parts), attempt, dict(epoch.metrics))
