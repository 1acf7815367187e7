"""The one loop that trains the members of a group: epochs, checkpoints, publishing, stop requests and pruning."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from harness.execution.checkpointing import STOP_SECONDS, IsStopping
from harness.execution.group_member import GroupMember, OnError
from harness.execution.progress import Progress, ReportStep, ignore_step
from harness.specs import Trial

if TYPE_CHECKING:
    from harness.training.epoch import Pause
    from harness.training.loop import TrainingLoop

STEP_SECONDS = 1.0
"""Pause between two reports of the position inside an epoch."""
IsPruned = Callable[[str], bool]
"""Returns whether the scheduler of a search ends the trial of this id after the epoch that it has just reported."""


def train_members(
    members: Sequence[GroupMember],
    ensemble_seeds: Sequence[int],
    is_stopping: IsStopping,
    on_error: OnError,
    is_pruned: IsPruned,
    report_step: ReportStep = ignore_step,
) -> Iterator[Progress]:
    """Train members that are at the same position until all have ended, or until a stop request.

    After a stop request each member has tried to save a checkpoint, and its caller interrupts it.

    Args:
        ensemble_seeds: The seeds that train together; empty for a single member that trains alone.
        report_step: Receives each member's position before the first step, and then once a second.

    Yields:
        The progress of each member after each epoch, and the last progress of each member that has ended.
    """
    loop = _training_loop(members, ensemble_seeds)
    slots = {_slot(member, ensemble_seeds): member for member in members}
    checkpoint_seconds = members[0].task.execution.checkpoint_seconds
    save_due = time.monotonic() + checkpoint_seconds

    report_positions = PositionReports(members, report_step)

    def decide_pause() -> Pause:
        report_positions()
        if is_stopping():
            return "stop"
        return "save" if time.monotonic() >= save_due else "no"

    report_positions()
    for results in loop.run(decide_pause):
        for slot, result in results or ():
            slots[slot].add_result(result)
        open_members = [member for member in members if not member.has_ended]
        decision = decide_pause()
        complete_members = [member for member in open_members if member.history.is_complete]
        if complete_members or decision != "no":
            yield from _save_and_publish(open_members, is_stopping, on_error)
            save_due = time.monotonic() + checkpoint_seconds
        if results is not None:
            pruned_members = yield from _report_epoch(open_members, is_pruned)
            yield from _save_and_publish(pruned_members, is_stopping, on_error)
            complete_members += pruned_members
        yield from finish_members([member for member in complete_members if not member.has_ended])
        for slot, member in slots.items():
            if member.has_ended:
                loop.leave(slot)
        if decision == "stop" or not loop.live:
            deadline = time.monotonic() + STOP_SECONDS
            for member in open_members:
                if not member.has_ended and member.publisher is not None:
                    member.publisher.close(max(deadline - time.monotonic(), 0))
            return


class PositionReports:
    """Reports the positions of members inside an epoch, at once and then every :data:`STEP_SECONDS`.

    Call it after each step.
    """

    def __init__(self, members: Sequence[GroupMember], report_step: ReportStep) -> None:
        self.members, self.report_step = members, report_step
        self.due = time.monotonic()

    def __call__(self) -> None:
        if (now := time.monotonic()) < self.due:
            return
        self.due = now + STEP_SECONDS
        for member in self.members:
            if not member.has_ended and not member.history.is_complete:
                self.report_step(member.step_progress())


def _report_epoch(members: Sequence[GroupMember], is_pruned: IsPruned) -> Generator[Progress, None, list[GroupMember]]:
    """Yield the progress of each member that continues, and return the members that their scheduler prunes now."""
    pruned_members = []
    for member in members:
        if not member.has_ended and not member.history.is_complete:
            yield member.progress()
            if is_pruned(member.task.trial.id):
                member.prune()
                pruned_members.append(member)
    return pruned_members


def finish_members(members: Sequence[GroupMember]) -> Iterator[Progress]:
    """Publish the complete histories of these members at the same time, and end the members.

    Yields:
        The last progress of each member.
    """
    for member in members:
        member.publish()
    deadline = time.monotonic() + max((member.task.execution.drain_seconds for member in members), default=0.0)
    for member in members:
        yield member.finish(deadline)


def _save_and_publish(members: Sequence[GroupMember], is_stopping: IsStopping, on_error: OnError) -> Iterator[Progress]:
    """Write a checkpoint of each member, then publish: the store must never hold more than the checkpoints.

    A member ends if another attempt has taken its trial over, or if its last checkpoint cannot be written; the others
    continue.

    Yields:
        The last progress of each member that has ended.
    """
    saved_members = []
    for member in members:
        try:
            if member.save(is_stopping):
                saved_members.append(member)
        except Exception as error:
            yield member.fail(error, on_error)
    for member in saved_members:
        member.publish()


def _training_loop(members: Sequence[GroupMember], ensemble_seeds: Sequence[int]) -> TrainingLoop:
    """Return the loop that trains the members, together with the other seeds of their ensemble."""
    from harness.training.loop import TrainingLoop
    from harness.training.seed_ensemble import SeedEnsemble
    from harness.training.trainer import Trainer

    if not ensemble_seeds:
        return TrainingLoop([members[0].trainer])
    task = members[0].task
    fields = {name: getattr(task.trial, name) for name in Trial.model_fields}
    trainers = {member.task.trial.seed: member.trainer for member in members}
    return SeedEnsemble(
        [
            trainers.get(seed) or Trainer(Trial(**{**fields, "seed": seed}), task.execution, task.resources)
            for seed in ensemble_seeds
        ],
        sorted(_slot(member, ensemble_seeds) for member in members),
    )


def _slot(member: GroupMember, ensemble_seeds: Sequence[int]) -> int:
    """Return the member's place in its ensemble; 0 for a member that trains alone."""
    return ensemble_seeds.index(member.task.trial.seed) if ensemble_seeds else 0
