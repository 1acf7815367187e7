"""A trial's checkpoint: one file with its history and its tensors, whole or not there; the last two are kept."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from harness.errors import HarnessError
from harness.files import CHECKPOINT, checkpoints, pack, unpack, write_whole

KEPT = 2


def save(directory: Path, epoch: int, history: bytes, state: dict[str, Any]) -> None:
    """Commit history and tensors together, then drop all but the last two checkpoints.

    Raises:
        HarnessError: The directory cannot be written to.
    """
    tensors = BytesIO()
    torch.save(state, tensors)
    content = pack({"history.json": history, "state.pt": tensors.getvalue()})
    write_whole(directory / CHECKPOINT.format(epoch=epoch), content)
    for old in checkpoints(directory)[KEPT:]:
        old.unlink(missing_ok=True)


def load_state(checkpoint: Path, device: torch.device) -> dict[str, Any]:
    """The tensors of a checkpoint.

    Raises:
        HarnessError: The file is damaged.
    """
    content = BytesIO(unpack(checkpoint, "state.pt"))
    try:
        state: dict[str, Any] = torch.load(content, map_location=device, weights_only=True)
    except Exception as error:
        # A pickle that asks for anything but tensors is refused before it runs; torch raises errors of many kinds.
        raise HarnessError("its tensors cannot be read", where=str(checkpoint)) from error
    return state
