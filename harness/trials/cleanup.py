"""Free the space of tensors that no trial needs any more. Histories stay where they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.execution.archive import RERUN_SUFFIX, archived_names
from harness.io.archives import pack_archive, read_member
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder
from harness.tracking.history import HISTORY_FILE, parse_history, read_history


@dataclass(frozen=True)
class FolderCleanup:
    """The result of the cleanup of one folder, or in a dry run the expected result.

    Attributes:
        folder: The folder's name in the storage.
        freed: Bytes that were freed.
        skip_reason: Why the folder was left unchanged; empty if it was not.
    """

    trial: str
    folder: str
    freed: int = 0
    skip_reason: str = ""


def strip_tensors(
    storage: Folder, trials: Iterable[str], folder_names: Iterable[str], dry_run: bool = False
) -> list[FolderCleanup]:
    """Remove the tensors of trials that are complete or archived. Unfinished trials are left unchanged.

    The locks of the trials' experiments have to be held, except for a dry run.

    Args:
        trials: Ids of trials.
        folder_names: Names of all folders in the storage.
        dry_run: Whether only to compute what would be freed.

    Returns:
        The folders in which something was freed, or should have been and could not.
    """
    existing = set(folder_names)
    folders = []
    for trial in trials:
        for name in [*([trial] if trial in existing else []), *archived_names(existing, trial)]:
            try:
                freed = _strip_folder(storage / name, trial, is_archived=name != trial, dry_run=dry_run)
            except HarnessError as error:
                folders.append(FolderCleanup(trial, name, skip_reason=str(error)))
                continue
            if freed:
                folders.append(FolderCleanup(trial, name, freed))
        rerun_name = f"{trial}{RERUN_SUFFIX}"
        if rerun_name in existing:
            reason = f"it holds an unfinished rerun; `harness rerun {trial}` resumes it"
            folders.append(FolderCleanup(trial, rerun_name, skip_reason=reason))
    return folders


def _strip_folder(folder: Folder, trial: str, is_archived: bool, dry_run: bool) -> int:
    """Keep only the newest checkpoint of a folder, without its tensors; return the bytes that this frees.

    Raises:
        HarnessError: The newest checkpoint is damaged or another trial's, or the storage does not answer. No history
            was lost then.
    """
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        return 0
    newest, older = checkpoints[0], checkpoints[1:]
    where = f"{folder}/{newest.name}"
    with folder.open(newest.name) as file:
        content = read_member(file, HISTORY_FILE, where)
    history = parse_history(content, where)
    if history.id != trial:
        raise HarnessError(f"this is a checkpoint of trial {history.id}", where=where, remedy="It was left unchanged.")
    if not history.is_complete and not is_archived:
        return 0
    stripped = pack_archive({HISTORY_FILE: content})
    size = folder.file_size(newest.name)
    freed = max(size - len(stripped), 0) + sum(folder.file_size(checkpoint.name) for checkpoint in older)
    if dry_run or not freed:
        return freed
    if size > len(stripped):
        _replace_checkpoint(folder, newest, stripped, trial)
    for checkpoint in older:
        folder.remove(checkpoint.name)
    return freed


def _replace_checkpoint(folder: Folder, checkpoint: Checkpoint, content: bytes, trial: str) -> None:
    """Replace a checkpoint by new content atomically, and check that its history can be read."""
    folder.write(checkpoint.name, content)
    with folder.open(checkpoint.name) as file:
        read_history(file, f"{folder}/{checkpoint.name}", trial)
