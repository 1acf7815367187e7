"""A trial's history: what was measured at each epoch, with everything that is needed to judge it.

It is one format in three places, so that each can be rebuilt from the others: ``history.json`` in a trial's
checkpoint, the artifact ``history.json`` of the trial's run in MLflow, and the source of the tables. This module does
not import torch.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from typing import Annotated, Any, BinaryIO

from pydantic import BeforeValidator, Field, PlainSerializer

from harness.errors import HarnessError
from harness.io.archives import read_member
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.specs.experiment.trial import Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.identity import Spec
from harness.specs.network.layer_profile import LayerProfile
from harness.tracking.metrics import CLOCKS
from harness.tracking.outcome_names import outcome_name, parse_outcome

FORMAT = 2
"""The newest format of a history. Format 1 had no values by layer."""
HISTORY_FILE = "history.json"
SEED_GROUPS = "together"
"""Key in the provenance: the groups of seeds that the trial was trained in, one after the other.

A trial that was trained alone has an empty group. Rounding depends on the group, and the time of a trial is its share
of the group's time.
"""
STARTED = "started"
"""Key in the provenance: when the trial's first attempt began, in milliseconds since 1970."""
Outcome = Annotated[TrialStatus, BeforeValidator(parse_outcome), PlainSerializer(outcome_name)]


class Epoch(Spec):
    """Measurements at the end of one epoch; epoch 0 is before the first update."""

    epoch: int
    at: int = Field(description="Milliseconds since 1970, when it was first measured.")
    metrics: dict[str, float | None] = Field(description="By key; None stands for a value that is not finite.")


class History(Spec):
    """Everything that a trial has recorded so far.

    Attributes:
        outcome: RUNNING, FINISHED, DIVERGED or PRUNED. The JSON calls a pruned trial ``stopped``.
        costs: Static costs by metric key, and under ``counter`` the tool that counted them.
        provenance: Software, device and execution settings, as text or plain values.
        layers: Values by layer, by the epoch in which they were measured: 0 and the last. Empty in older records.
    """

    format: int = FORMAT
    id: str
    trial: Trial
    outcome: Outcome = TrialStatus.RUNNING
    costs: dict[str, int | str] = Field({})
    provenance: dict[str, Any] = Field({})
    epochs: tuple[Epoch, ...] = ()
    layers: dict[int, LayerProfile] = Field({})

    @property
    def is_complete(self) -> bool:
        """Whether the trial came to its end."""
        return self.outcome.is_complete

    @property
    def last_epoch(self) -> int:
        """The number of the last measured epoch; 0 where none is measured."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation."""
        last = self.epochs[-1].metrics if self.epochs else {}
        return sum(last.get(key) or 0.0 for key in CLOCKS)

    @property
    def started(self) -> int:
        """When the trial's first attempt began, in milliseconds since 1970; 0 if that is not known.

        Older records have no such time: there it is the time of the first measurement.
        """
        started = self.provenance.get(STARTED)
        return started if isinstance(started, int) else self.epochs[0].at if self.epochs else 0

    @property
    def ended(self) -> int:
        """When the last epoch was measured, in milliseconds since 1970; 0 if none was."""
        return max(self.epochs[-1].at, self.started) if self.epochs else 0

    @property
    def memory(self) -> tuple[int, int]:
        """(peak bytes that the trial used, bytes of its device); 0 in older records."""
        memory = self.provenance.get("memory")
        sizes = memory if isinstance(memory, dict) else {}
        peak, device = sizes.get("peak"), sizes.get("device")
        return (peak if isinstance(peak, int) else 0, device if isinstance(device, int) else 0)

    def with_epoch(self, number: int, metrics: dict[str, float], layers: LayerProfile | None = None) -> History:
        """Return a copy with one more epoch, measured now, and with its values by layer where there are any."""
        finite = {key: value if abs(value) < float("inf") else None for key, value in metrics.items()}
        # The machine's clock may be set back; the times in a record never run backwards.
        at = max(int(time.time() * 1000), self.epochs[-1].at if self.epochs else 0)
        update: dict[str, Any] = {"epochs": (*self.epochs, Epoch(epoch=number, at=at, metrics=finite))}
        if layers is not None:
            update["layers"] = {**self.layers, number: layers}
        return self.model_copy(update=update)


def find_ensemble_seeds(history: History | None) -> tuple[int, ...]:
    """Return the seeds with which a trial was last trained as one network, its own included; none if it was alone."""
    return tuple(history.provenance.get(SEED_GROUPS, [[]])[-1]) if history is not None else ()


class NewerFormat(HarnessError):
    """A newer version of this project wrote the record or checkpoint. It is refused, never skipped or overwritten."""


class WrongTrial(HarnessError):
    """A checkpoint lies in the folder of another trial."""


def parse_history(content: bytes | str, where: str) -> History:
    """Return a history from its JSON.

    Raises:
        NewerFormat: A newer version wrote it.
        HarnessError: It is not a history.
    """
    try:
        raw = json.loads(content)
        number = raw["format"]
        if not isinstance(number, int):
            raise TypeError("the format is not a number")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HarnessError(
            "this is not a history", where=where, remedy="The file is damaged; restore it from a copy."
        ) from error
    if number > FORMAT:
        raise NewerFormat(
            f"the history has format {number}; this version reads formats up to {FORMAT}",
            where=where,
            remedy="Upgrade depthbench, or use another --home.",
        )
    try:
        return History.model_validate(raw, strict=False)
    except ValueError as error:
        raise HarnessError(
            "this version cannot read this history",
            where=where,
            remedy="Another version of depthbench wrote it, or it is damaged.",
        ) from error


def read_history(file: BinaryIO, where: str, trial: str) -> History:
    """Return the history inside a checkpoint of ``trial``.

    Raises:
        NewerFormat: A newer version wrote it.
        WrongTrial: It belongs to another trial.
        HarnessError: The file is damaged.
    """
    history = parse_history(read_member(file, HISTORY_FILE, where), where)
    if history.id != trial:
        raise WrongTrial(
            f"this is a checkpoint of trial {history.id}, in the folder of trial {trial}",
            where=where,
            remedy=f"Move it back to the folder of trial {history.id}; nothing was changed.",
        )
    return history


def warn_of_damage(checkpoint: str, error: HarnessError) -> None:
    """Warn that a checkpoint is skipped because it cannot be read."""
    warnings.warn(f"the damaged checkpoint {checkpoint} is skipped: {error}", stacklevel=3)


def read_newest_history(
    folder: Folder, trial: str, on_damage: Callable[[str, HarnessError], None] = warn_of_damage
) -> History | None:
    """Return the history in a trial's newest readable checkpoint; None where there is none.

    Args:
        on_damage: Is called with the name of each newer checkpoint that cannot be read, and with the error.

    Raises:
        NewerFormat: A newer version wrote the newest checkpoint.
        WrongTrial: A checkpoint belongs to another trial.
    """
    for checkpoint in list_checkpoints(folder):
        try:
            with folder.open(checkpoint.name) as file:
                return read_history(file, f"{folder}/{checkpoint.name}", trial)
        except (NewerFormat, WrongTrial):
            raise
        except HarnessError as error:
            on_damage(checkpoint.name, error)
    return None
