"""A trial's history: what it measured at each epoch, with all that is needed to judge it. No torch here.

It is the ``history.json`` of a trial's checkpoint (its journal), the ``history.json`` artifact of its MLflow
run, and what tables are made of: one format, so that each can be rebuilt from the others.
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
from harness.tracking.outcome_names import outcome_name, parse_outcome

FORMAT = 2
"""2 has the values by layer, which a version for 1 would call damaged, and train anew."""
HISTORY_FILE = "history.json"
MEMORY = "memory_bytes"
"""Tag of a trial's run: what it took at most, of how much."""
SEED_GROUPS = "together"
"""In the provenance: the companies of seeds that a trial was trained in, one after the other; an empty one for alone.

Rounding depends on them, and the time of a trial is its share of theirs.
"""


Outcome = Annotated[TrialStatus, BeforeValidator(parse_outcome), PlainSerializer(outcome_name)]


class Epoch(Spec):
    """Measurements at the end of one epoch; epoch 0 is before the first update."""

    epoch: int
    at: int = Field(description="Milliseconds since 1970, when it was first measured.")
    metrics: dict[str, float | None] = Field(description="By key; None stands for a value that is not finite.")


class History(Spec):
    """All that a trial has recorded so far.

    Attributes:
        outcome: RUNNING, FINISHED, DIVERGED or PRUNED. The JSON calls a pruned trial ``stopped``.
        costs: Static costs by metric key, and under ``counter`` which tool counted them.
        provenance: Software, device and execution settings, as text or plain values.
        layers: Values by layer, by the epoch they were measured in: 0 and the last; none in older records.
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
    def done(self) -> bool:
        """Whether the trial has come to its end."""
        return self.outcome.is_complete

    @property
    def last_epoch(self) -> int:
        """Epochs that were measured."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def seconds(self) -> float:
        """On the training and the evaluation clock."""
        last = self.epochs[-1].metrics if self.epochs else {}
        return sum(last.get(f"time/{clock}_s") or 0.0 for clock in ("train", "eval"))

    @property
    def memory(self) -> tuple[int, int]:
        """Bytes that it took at most, and that its device has; 0 in older records."""
        found = self.provenance.get("memory")
        known = found if isinstance(found, dict) else {}
        peak, device = (known.get(key) for key in ("peak", "device"))
        return (peak if isinstance(peak, int) else 0, device if isinstance(device, int) else 0)

    def extended(self, number: int, metrics: dict[str, float], layers: LayerProfile | None = None) -> History:
        """The same with an epoch that was measured now, and its values by layer where there are any."""
        finite = {key: value if abs(value) < float("inf") else None for key, value in metrics.items()}
        # The machine's clock may be set back; the record's time never runs backwards.
        at = max(int(time.time() * 1000), self.epochs[-1].at if self.epochs else 0)
        update: dict[str, Any] = {"epochs": (*self.epochs, Epoch(epoch=number, at=at, metrics=finite))}
        if layers is not None:
            update["layers"] = {**self.layers, number: layers}
        return self.model_copy(update=update)


def find_ensemble_seeds(history: History | None) -> tuple[int, ...]:
    """The seeds that a trial was last trained together with, its own among them; none where it was alone."""
    return tuple(history.provenance.get(SEED_GROUPS, [[]])[-1]) if history is not None else ()


class NewerFormat(HarnessError):
    """Written by a newer version of this project: refused, never skipped or overwritten."""


class WrongTrial(HarnessError):
    """A journal that lies in another trial's folder."""


def parse_history(content: bytes | str, where: str) -> History:
    """A history from its JSON.

    Raises:
        NewerFormat: It was written by a newer version.
        HarnessError: It is no history.
    """
    try:
        raw = json.loads(content)
        number = raw["format"]
        if not isinstance(number, int):
            raise TypeError("format is no number")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HarnessError("this is no history", where=where, remedy="The file is damaged.") from error
    if number > FORMAT:
        raise NewerFormat(
            f"written in format {number}; this version reads up to {FORMAT}",
            where=where,
            remedy="Upgrade depthbench, or use another --home.",
        )
    try:
        return History.model_validate(raw, strict=False)
    except ValueError as error:
        raise HarnessError(
            "this is no history that this version can read",
            where=where,
            remedy="It was written by another version of depthbench, or is damaged.",
        ) from error


def read_history(file: BinaryIO, where: str, trial: str) -> History:
    """The history inside a checkpoint of ``trial``.

    Raises:
        NewerFormat: It was written by a newer version.
        OtherTrial: It belongs to another trial.
        HarnessError: The file is damaged.
    """
    history = parse_history(read_member(file, HISTORY_FILE, where), where)
    if history.id != trial:
        raise WrongTrial(
            f"this is a checkpoint of trial {history.id}, in the folder of trial {trial}",
            where=where,
            remedy="Move it back to where it belongs; nothing was changed.",
        )
    return history


def _warn_of_damage(checkpoint: str, error: HarnessError) -> None:
    warnings.warn(f"a damaged checkpoint is left out: {error}", stacklevel=3)


def read_newest_history(
    folder: Folder, trial: str, damaged: Callable[[str, HarnessError], None] = _warn_of_damage
) -> History | None:
    """The history in a trial's newest readable checkpoint; None where there is none.

    Args:
        damaged: Told of each newer one that cannot be read: its name, and why.

    Raises:
        NewerFormat: The newest was written by a newer version.
        OtherTrial: A checkpoint belongs to another trial.
    """
    for checkpoint in list_checkpoints(folder):
        try:
            with folder.open(checkpoint.name) as file:
                return read_history(file, f"{folder}/{checkpoint.name}", trial)
        except (NewerFormat, WrongTrial):
            raise
        except HarnessError as error:
            damaged(checkpoint.name, error)
    return None
