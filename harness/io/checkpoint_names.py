"""File names of checkpoints, and their order from old to new."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.io.storage import Folder


@dataclass(frozen=True, order=True)
class Checkpoint:
    """The name of a checkpoint file; checkpoints compare from old to new.

    The attempt comes first in the order. A host that lost its connection may still write checkpoints of its old
    attempt, and these must never count as newer than those of the attempt that replaced it.

    Attributes:
        attempt: Number of the attempt that wrote it.
        epoch: Number of finished epochs.
        step: Steps done in the epoch that follows; 0 at the end of an epoch.
    """

    attempt: int
    epoch: int
    step: int = 0

    @property
    def name(self) -> str:
        """File name in the trial's folder."""
        return f"checkpoint-{self.attempt:04d}-{self.epoch:06d}-{self.step:08d}.zip"

    @property
    def position(self) -> tuple[int, int]:
        """(finished epochs, steps done in the next epoch)."""
        return self.epoch, self.step


def list_checkpoints(folder: Folder) -> list[Checkpoint]:
    """Return the checkpoints in a trial's folder, newest first."""
    matches = (re.fullmatch(r"checkpoint-(\d+)-(\d+)-(\d+)\.zip", name) for name in folder.list_names())
    return sorted((Checkpoint(*map(int, match.groups())) for match in matches if match), reverse=True)
