"""A trial's history: what it measured at each epoch, with all that is needed to judge it. No torch here.

It is the ``history.json`` of a trial's checkpoint (its journal), the ``history.json`` artifact of its MLflow
run, and what tables are made of: one format, so that each can be rebuilt from the others.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.errors import HarnessError
from harness.files import checkpoints, unpack
from harness.specs.identity import Spec
from harness.specs.trial import Trial

FORMAT = 1
MEMBER = "history.json"


class Epoch(Spec):
    """Measurements at the end of one epoch; epoch 0 is before the first update."""

    epoch: int
    at: int = Field(description="Milliseconds since 1970, when it was first measured.")
    metrics: dict[str, float | None] = Field(description="By key; None stands for a value that is not finite.")


class History(Spec):
    """All that a trial has recorded so far.

    Attributes:
        outcome: ``running`` until the budget is spent, then ``finished``; ``diverged`` where the loss was not finite.
        costs: Static costs by metric key, and under ``counter`` which tool counted them.
        provenance: Software, device and execution settings, as text or plain values.
    """

    format: int = FORMAT
    id: str
    trial: Trial
    outcome: Literal["running", "finished", "diverged"] = "running"
    costs: dict[str, int | str] = Field({})
    provenance: dict[str, Any] = Field({})
    epochs: tuple[Epoch, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the trial has come to its end."""
        return self.outcome != "running"


def parse(content: bytes | str, where: str) -> History:
    """A history from its JSON.

    Raises:
        HarnessError: It is no history, or one of a newer version of this project.
    """
    try:
        history = History.model_validate_json(content)
    except ValueError as error:
        raise HarnessError(
            "this is no history that this version can read",
            where=where,
            remedy="It was written by another version of depthbench, or is damaged.",
        ) from error
    if history.format > FORMAT:
        raise HarnessError(
            f"written in format {history.format}; this version reads up to {FORMAT}",
            where=where,
            remedy="Upgrade depthbench.",
        )
    return history


def read_journal(checkpoint: Path) -> History:
    """The history inside a trial's checkpoint.

    Raises:
        HarnessError: The file is damaged, or of a newer format.
    """
    return parse(unpack(checkpoint, MEMBER), str(checkpoint))


def newest_journal(directory: Path) -> tuple[History, Path] | None:
    """The history in a trial's newest readable checkpoint, and that checkpoint; None where there is none."""
    for checkpoint in checkpoints(directory):
        try:
            return read_journal(checkpoint), checkpoint
        except HarnessError as error:
            warnings.warn(f"{error}; falling back to the checkpoint before", stacklevel=2)
    return None
