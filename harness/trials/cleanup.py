"""Space that trials no longer need: the tensors of those that are done. Their histories stay where they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.execution.archive import AGAIN, archived_names
from harness.io.archives import pack_archive, read_member
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder
from harness.tracking.history import HISTORY_FILE, parse_history, read_history


@dataclass(frozen=True)
class FolderCleanup:
    """What was done with one folder, or would be.

    Attributes:
        folder: Its name in the storage.
        freed: Bytes.
        left: Why it was left as it is; empty where it was not.
    """

    trial: str
    folder: str
    freed: int = 0
    left: str = ""


def strip_tensors(
    storage: Folder, trials: Iterable[str], names: Iterable[str], dry_run: bool = False
) -> list[FolderCleanup]:
    """Free the tensors of those trials that are done, or put aside; of others nothing is touched.

    Whoever calls holds the lock, unless it is a dry run.

    Args:
        names: Of the folders there are.

    Returns:
        Folders where something was freed, or could not be.
    """
    there = set(names)
    done = []
    for trial in trials:
        for name in [*([trial] if trial in there else []), *archived_names(there, trial)]:
            try:
                freed = _strip(storage / name, trial, aside=name != trial, dry_run=dry_run)
            except HarnessError as error:
                done.append(FolderCleanup(trial, name, left=str(error)))
                continue
            if freed:
                done.append(FolderCleanup(trial, name, freed))
        if f"{trial}{AGAIN}" in there:
            left = f"a rerun came to no end in it; `harness rerun {trial}` goes on with it"
            done.append(FolderCleanup(trial, f"{trial}{AGAIN}", left=left))
    return done


def _strip(folder: Folder, trial: str, aside: bool, dry_run: bool) -> int:
    """Leave of a folder's checkpoints the newest, without its tensors; bytes that this frees.

    Raises:
        HarnessError: The newest cannot be read whole, is another trial's, or the storage does not answer. Nothing
            was removed that is not in another file.
    """
    found = list_checkpoints(folder)
    if not found:
        return 0
    newest, older = found[0], found[1:]
    where = f"{folder}/{newest.name}"
    with folder.open(newest.name) as file:
        content = read_member(file, HISTORY_FILE, where)
    history = parse_history(content, where)
    if history.id != trial:
        raise HarnessError(f"this is a checkpoint of trial {history.id}", where=where, remedy="It was left as it is.")
    if not history.done and not aside:
        return 0
    small = pack_archive({HISTORY_FILE: content})
    before = folder.file_size(newest.name)
    freed = max(before - len(small), 0) + sum(folder.file_size(checkpoint.name) for checkpoint in older)
    if dry_run or not freed:
        return freed
    if before > len(small):
        _replace(folder, newest, small, trial)
    for checkpoint in older:
        folder.remove(checkpoint.name)
    return freed


def _replace(folder: Folder, checkpoint: Checkpoint, content: bytes, trial: str) -> None:
    """Put a file in place of another of its name, whole or not at all, and make sure that it reads."""
    folder.write(checkpoint.name, content)
    with folder.open(checkpoint.name) as file:
        read_history(file, f"{folder}/{checkpoint.name}", trial)
