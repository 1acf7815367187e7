"""A trial's checkpoint: one file with its history and its tensors. It appears whole or not at all."""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO

import torch

from harness.errors import HarnessError
from harness.io.archives import pack_archive, read_member
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder

KEPT_CHECKPOINTS = 2
"""The number of newest checkpoints that are kept: if one is damaged, the trial resumes from the one before."""


def write_checkpoint(folder: Folder, checkpoint: Checkpoint, history: bytes, state: dict[str, Any]) -> None:
    """Write history and tensors into one file, then remove all but the newest checkpoints.

    Args:
        folder: The trial's checkpoints.
        checkpoint: The name of the new one.
        history: The history as JSON.
        state: What :meth:`Trainer.state` returned.

    Raises:
        HarnessError: The folder is not writable.
    """
    tensors = BytesIO()
    torch.save(_without_shared_storage(state), tensors)
    folder.write(checkpoint.name, pack_archive({"history.json": history, "state.pt": tensors.getvalue()}))
    for old in list_checkpoints(folder)[KEPT_CHECKPOINTS:]:
        folder.remove(old.name)


def _without_shared_storage(value: Any) -> Any:
    """Return the value with a copy of every view, because torch would save the whole tensor that it is a view of."""
    if isinstance(value, dict):
        return type(value)((key, _without_shared_storage(item)) for key, item in value.items())
    if isinstance(value, list):
        return [_without_shared_storage(item) for item in value]
    if isinstance(value, torch.Tensor) and value.untyped_storage().nbytes() > value.nbytes:
        return value.clone()
    return value


def load_state(file: BinaryIO, where: str, device: torch.device) -> dict[str, Any]:
    """Return the state in a checkpoint, with its tensors on ``device``.

    Args:
        file: The checkpoint.
        where: Its path or URL, for errors.
        device: Where to put the tensors.

    Raises:
        HarnessError: The file is damaged, or contains objects other than tensors and plain values.
    """
    tensors = BytesIO(read_member(file, "state.pt", where))
    try:
        state: dict[str, Any] = torch.load(tensors, map_location=device, weights_only=True)
    except Exception as error:
        # torch refuses a pickle with other objects before it runs any code of it, with errors of many kinds.
        raise HarnessError("its tensors cannot be loaded safely", where=where) from error
    return state
