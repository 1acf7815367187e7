"""The events of one trial, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.execution.attempts import Attempt
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import Epoch
from harness.tracking.metrics import EPOCH_SECONDS, LEARNING_RATE, ONLINE_TRAINING_ERROR, TEST_ERROR
from harness.trials.summary import TrialSummary

LISTED_METRICS = (
    ("train error", ONLINE_TRAINING_ERROR, "{:.2f} %"),
    ("test error", TEST_ERROR, "{:.2f} %"),
    ("lr", LEARNING_RATE, "{:.3g}"),
    ("", EPOCH_SECONDS, "{:.1f} s"),
)
"""Metrics in the line of an epoch: name, key and format."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a trial.

    Attributes:
        at: Milliseconds since 1970; None if only its position in the order is known.
        kind: ``started``, ``epoch``, ``note``, ``ended`` or ``traceback``.
        text: A line for people; a traceback has many lines.
        attempt: Number of the attempt; None if it is unknown.
        metrics: All metrics of an epoch.
    """

    at: int | None
    kind: str
    text: str
    attempt: int | None = None
    metrics: dict[str, Any] | None = None


def list_events(trial: TrialSummary, traceback: str = "") -> Iterator[Event]:
    """Yield the attempts at a trial, the epochs that each of them measured, and how each ended.

    Args:
        traceback: The traceback in the record, for a trial whose attempts have none.
    """
    epochs = list(trial.history.epochs) if trial.history is not None else []
    for position, attempt in enumerate(trial.attempts):
        start = f" at epoch {attempt.epoch}" + f", step {attempt.step}" * bool(attempt.step)
        start = start if attempt.epoch or attempt.step else ""
        yield Event(
            attempt.started, "started", f"attempt {attempt.number} started{start}, {attempt.process}", attempt.number
        )
        later = trial.attempts[position + 1 :]
        # An epoch that two attempts measured belongs to the one whose checkpoint was kept.
        own_epochs = [epoch for epoch in epochs if not later or epoch.at < later[0].started]
        epochs = epochs[len(own_epochs) :]
        yield from (_epoch_event(epoch, attempt.number) for epoch in own_epochs)
        yield from (Event(None, "note", f"note: {note}", attempt.number) for note in attempt.notes)
        yield from _end_events(attempt, trial, is_last=not later)
    # These epochs belong to an attempt whose file is gone, or whose clock was ahead.
    yield from (_epoch_event(epoch, None) for epoch in epochs)
    if traceback and not any(attempt.trace for attempt in trial.attempts):
        yield Event(None, "traceback", traceback.rstrip())


def _end_events(attempt: Attempt, trial: TrialSummary, is_last: bool) -> Iterator[Event]:
    """Yield how an attempt ended, and the traceback of a failure."""
    name = f"attempt {attempt.number}"
    if attempt.end_status is not None:
        error = f": {attempt.error}" if attempt.error else ""
        yield Event(None, "ended", f"{name} {attempt.end_status}{error}", attempt.number)
        if attempt.trace:
            yield Event(None, "traceback", attempt.trace.rstrip(), attempt.number)
    elif is_last and trial.status == TrialStatus.RUNNING:
        yield Event(None, "ended", f"{name}: {trial.status_text}", attempt.number)
    else:
        yield Event(None, "ended", f"{name} ended without a record: {attempt.process} is gone", attempt.number)


def _epoch_event(epoch: Epoch, attempt: int | None) -> Event:
    """Return the event of a measured epoch, with its most important metrics in the text."""
    parts = [f"epoch {epoch.epoch:>4}"]
    for name, key, form in LISTED_METRICS:
        if key in epoch.metrics:
            value = epoch.metrics[key]
            parts.append(f"{name} {'not finite' if value is None else form.format(value)}".strip())
    if len(parts) == 1:
        parts.append("measured before the first update")
    return Event(epoch.at, "epoch", "  ".join(parts), attempt, dict(epoch.metrics))
