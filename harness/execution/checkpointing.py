"""Save a trial's checkpoints, and restore its trainer and history from the newest one that can be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.execution.claim import Claim
from harness.execution.trial_group import TrialTask
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.tracking.history import SEED_GROUPS, STARTED, History, NewerFormat, WrongTrial, read_history

if TYPE_CHECKING:
    from harness.training.trainer import Trainer

IsStopping = Callable[[], bool]
"""Returns whether the trials are to save a checkpoint and end."""
SAVE_SECONDS = 60.0
"""How long a trial retries its last checkpoint: without it, the epochs since the one before would be lost."""
STOP_SECONDS = 5.0
"""How long an interrupted trial retries its last checkpoint, and waits for the store."""


def save_checkpoint(task: TrialTask, trainer: Trainer, history: History, claim: Claim, is_stopping: IsStopping) -> bool:
    """Write a checkpoint, and return whether it was written.

    A failure is noted in the attempt, and the training continues. The last checkpoint of a trial is retried for
    :data:`SAVE_SECONDS`, or for :data:`STOP_SECONDS` after a stop request.

    Raises:
        Superseded: Another attempt has taken the trial over.
        HarnessError: The last checkpoint cannot be written.
    """
    from harness.training.checkpoint_file import write_checkpoint

    started = time.monotonic()
    while True:
        try:
            claim.require_current()
            checkpoint = Checkpoint(claim.attempt.number, *trainer.position)
            write_checkpoint(task.folder, checkpoint, history.model_dump_json().encode(), trainer.state())
            return True
        except HarnessError as error:
            claim.add_note(f"a checkpoint could not be written ({error.what}); the training went on")
            is_last, waited = history.is_complete or is_stopping(), time.monotonic() - started
            if not is_last or (is_stopping() and waited > STOP_SECONDS and not history.is_complete):
                return False
            if waited > (STOP_SECONDS if is_stopping() else SAVE_SECONDS):
                raise
            time.sleep(1)


def restore(
    task: TrialTask,
    trainer: Trainer,
    claim: Claim,
    ensemble_seeds: Sequence[int],
    position: tuple[int, int] | None = None,
) -> History:
    """Restore the trainer from the trial's newest checkpoint, and return the history up to there.

    A trial without a checkpoint starts with an empty history.

    Args:
        trainer: A trainer that has not begun.
        ensemble_seeds: The seeds that this attempt trains together; empty for a trial that trains alone.
        position: Accept only a checkpoint at this position, (epochs done, steps done in the next one).

    Raises:
        HarnessError: A checkpoint belongs to another trial, or was written by a newer version.
    """
    from harness.costs.complexity import count_network

    history = History(
        id=task.trial.id,
        trial=task.trial,
        costs=count_network(task.trial.variant, task.image_size).metrics(),
        # The time of a trial in an ensemble is its share of the time of all seeds, which is no measurement.
        provenance=trainer.provenance()
        | {"shared": task.shares_device or bool(ensemble_seeds), "revision": task.revision}
        | ({SEED_GROUPS: [list(ensemble_seeds)]} if ensemble_seeds else {}),
    )
    saved_history = _load_newest(task, trainer, claim, position)
    if saved_history is not None:
        provenance = merge_provenance(saved_history.provenance, history.provenance)
        history = saved_history.model_copy(update={"provenance": provenance, "format": history.format})
    # The first checkpoint keeps the start, also where the files of the attempts are lost later.
    provenance = {STARTED: claim.started} | history.provenance | {"attempts": claim.attempt.number}
    return history.model_copy(update={"provenance": provenance})


def _load_newest(task: TrialTask, trainer: Trainer, claim: Claim, position: tuple[int, int] | None) -> History | None:
    """Load the newest undamaged checkpoint into the trainer, and return its history; None if there is none."""
    from harness.training.checkpoint_file import load_state

    for checkpoint in list_checkpoints(task.folder):
        if position not in (None, checkpoint.position):
            continue
        where = f"{task.folder}/{checkpoint.name}"
        try:
            with task.folder.open(checkpoint.name) as file:
                history = read_history(file, where, task.trial.id)
                state = None if history.is_complete else load_state(file, where, trainer.device)
        except (NewerFormat, WrongTrial):
            raise
        except HarnessError as error:
            claim.add_note(f"{checkpoint.name} is damaged ({error.what}); the checkpoint before it was used")
            continue
        if claim.is_after_death:
            claim.add_note(f"its worker was lost; it resumed from epoch {checkpoint.epoch}, step {checkpoint.step}")
        if state is not None:
            trainer.resume(trainer.group.broadcast_state(state, trainer.device))
        return history
    if claim.is_after_death:
        claim.add_note("its worker was lost before the first checkpoint; it started again")
    trainer.group.broadcast_state({}, trainer.device)
    return None


def merge_provenance(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return the provenance of a trial over all its attempts.

    A trial whose time was shared once stays marked as shared. A value that changed between attempts lists both.
    """
    merged = {**before, "shared": bool(before.get("shared")) or bool(now["shared"])}
    for key in ("device", "software", "memory_format", "kernels"):
        if before.get(key) != now[key]:
            merged[key] = f"{before.get(key)}, then {now[key]}"
    earlier_ensembles, ensemble = before.get(SEED_GROUPS, [[]]), now.get(SEED_GROUPS, [[]])[-1]
    if ensemble != earlier_ensembles[-1]:
        merged[SEED_GROUPS] = [*earlier_ensembles, ensemble]
    return merged
