"""A trial's checkpoint: one file with its history and its tensors, whole or not there; the last two are kept."""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO

import torch

from harness.errors import HarnessError
from harness.io.archives import pack_archive, read_member
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder

KEPT = 2


def save(folder: Folder, checkpoint: Checkpoint, history: bytes, state: dict[str, Any]) -> None:
    """Commit history and tensors together, then drop all but the last two checkpoints.

    Raises:
        HarnessError: The folder cannot be written to.
    """
    tensors = BytesIO()
    torch.save(_own(state), tensors)
    folder.write(checkpoint.name, pack_archive({"history.json": history, "state.pt": tensors.getvalue()}))
    for old in list_checkpoints(folder)[KEPT:]:
        folder.remove(old.name)


def _own(value: Any) -> Any:
    """The same with storage of its own for each view, which would bring along all that it is a view of."""
    if isinstance(value, dict):
        return type(value)((key, _own(inside)) for key, inside in value.items())
    if isinstance(value, list):
        return [_own(inside) for inside in value]
    if isinstance(value, torch.Tensor) and value.untyped_storage().nbytes() > value.nbytes:
        return value.clone()
    return value


def load_state(file: BinaryIO, where: str, device: torch.device) -> dict[str, Any]:
    """The tensors of a checkpoint.

    Raises:
        HarnessError: The file is damaged, or holds objects other than tensors and plain values.
    """
    tensors = BytesIO(read_member(file, "state.pt", where))
    try:
        state: dict[str, Any] = torch.load(tensors, map_location=device, weights_only=True)
    except Exception as error:
        # A pickle that asks for anything but tensors is refused before it runs; torch raises errors of many kinds.
        raise HarnessError("its tensors cannot be loaded safely", where=where) from error
    return state
