"""Run a trial group in this process, from the claim of its trials to the last progress of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from harness.execution.checkpointing import SAVE_SECONDS, IsStopping
from harness.execution.claim import claim_trial
from harness.execution.group_member import GroupMember, OnError, end_with_error
from harness.execution.group_training import IsPruned, finish_members, train_members
from harness.execution.progress import Progress, ReportStep, ignore_step
from harness.execution.trial_group import TrialGroup
from harness.execution.trial_workers import StartWorkers, start_processes, start_workers
from harness.io.checkpoint_names import list_checkpoints
from harness.specs.experiment.trial_status import TrialStatus


def run_group(
    group: TrialGroup,
    is_stopping: IsStopping = lambda: False,
    on_error: OnError = lambda error: None,
    is_pruned: IsPruned = lambda trial: False,
    start_others: StartWorkers = start_processes,
    report_step: ReportStep = ignore_step,
) -> Iterator[Progress]:
    """Run a trial group. Each trial is trained from its newest checkpoint and reports its own end.

    An exception that concerns one trial ends that trial alone. An exception of the common training ends all trials that
    have not ended yet. Everything that is published has been saved in a checkpoint before.

    Args:
        is_stopping: Called after each step, and between the batches of an evaluation. Once it returns true, each trial
            saves a checkpoint and ends as INTERRUPTED.
        on_error: Receives each exception that ends a trial, for a debugger.
        is_pruned: Called after each reported epoch. Trials of a search with a scheduler are never trained together.
        start_others: Starts the other workers of a trial that trains on several.
        report_step: Receives the positions of running trials inside an epoch.

    Yields:
        Progress with status RUNNING after each epoch, and one last progress of each trial.

    Raises:
        WorkerLost: Another process that trains the trial died. The group can be run again.
    """
    if is_stopping():
        for task in group.tasks:
            yield Progress(task.trial.id, TrialStatus.INTERRUPTED, message="before it started")
        return
    members: list[GroupMember] = []
    for task in group.tasks:
        try:
            claim = claim_trial(task.folder, task.launch, is_stopping, SAVE_SECONDS, task.storage_mark)
            members.append(GroupMember(task, claim, group.ensemble_seeds))
        except Exception as error:
            yield end_with_error(error, task, None, on_error)
    try:
        yield from _run_members(
            members, group.ensemble_seeds, is_stopping, on_error, is_pruned, start_others, report_step
        )
    except Exception as error:
        for member in members:
            if not member.has_ended:
                yield member.fail(error, on_error)
    for member in members:
        if not member.has_ended:
            yield member.interrupt()


def _run_members(
    members: Sequence[GroupMember],
    ensemble_seeds: Sequence[int],
    is_stopping: IsStopping,
    on_error: OnError,
    is_pruned: IsPruned,
    start_others: StartWorkers,
    report_step: ReportStep,
) -> Iterator[Progress]:
    """Restore the claimed members, finish those that are complete, and train the others."""
    # Imported here because planning, and finding that everything is recorded, must not pay for torch.
    from harness.training.memory import explain_oom

    if not members:
        return
    task = members[0].task
    with ExitStack() as outputs, start_workers(task, start_others) as process_group:
        for member in members:
            try:
                member.begin(process_group, outputs)
            except Exception as error:
                if len(members) == 1:
                    # start_workers has to see it, because the cause may be another worker of the trial.
                    raise
                yield member.fail(error, on_error)
        yield from finish_members([member for member in members if not member.has_ended and member.history.is_complete])
        open_members = [member for member in members if not member.has_ended]
        _align_positions(open_members)
        for member in open_members:
            # Its run shows from now on that the trial is being trained. A checkpoint holds all that is sent.
            member.publish()
        for part in _group_by_position(open_members):
            with explain_oom(task.trial, task.image_size, max(len(ensemble_seeds), 1)):
                yield from train_members(part, ensemble_seeds, is_stopping, on_error, is_pruned, report_step)


def _align_positions(members: Sequence[GroupMember]) -> None:
    """Move all members back to the newest position at which each of them has a checkpoint.

    Positions differ if the process was killed while it wrote the checkpoints of one moment. A member that is one
    checkpoint ahead still has the one before it, because the last two are kept. Nothing of the newer checkpoint was
    published, since publishing waits until all members have saved.
    """
    if len({member.trainer.position for member in members}) < 2:
        return
    saved_positions = []
    for member in members:
        positions = {checkpoint.position for checkpoint in list_checkpoints(member.task.folder)}
        # A single checkpoint is the first one: before it the trial stood at its beginning.
        saved_positions.append(positions | ({(0, 0)} if len(positions) < 2 else set()))
    common_positions = set.intersection(*saved_positions)
    for member in members:
        if common_positions and member.trainer.position != max(common_positions):
            member.restore(member.trainer.group, max(common_positions))


def _group_by_position(members: Sequence[GroupMember]) -> list[list[GroupMember]]:
    """Return the members as one list per position. Damaged checkpoints may have left them at several positions."""
    by_position: dict[tuple[int, int], list[GroupMember]] = {}
    for member in members:
        by_position.setdefault(member.trainer.position, []).append(member)
    return list(by_position.values())
