"""Folders beside those of trials: ``<id>.superseded-<n>`` put aside, with why; ``<id>.again`` of a rerun."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.specs.identity import Spec

ASIDE = re.compile(r"([0-9a-f]{12})\.superseded-(\d+)")
WHY = "superseded.json"
AGAIN = ".again"
"""How the folder is called in which a trial is trained again, until that is done."""
DISCARDED = "discarded: "
"""How the reason begins where a user discarded a trial."""


class ArchiveNote(Spec):
    """Why a trial's folder was put aside, and when (milliseconds since 1970; 0 where nobody wrote it)."""

    reason: str = ""
    at: int = 0


def archived_names(names: Iterable[str], trial: str) -> list[str]:
    """Those of the folders ``names`` that are a trial's and were put aside, oldest first."""
    found = [match for match in map(ASIDE.fullmatch, names) if match and match[1] == trial]
    return [match[0] for match in sorted(found, key=lambda match: int(match[2]))]


def archive_folder(
    storage: Folder, trial: str, names: Iterable[str], reason: str, folder: Folder | None = None
) -> Folder:
    """Give a trial's folder (or another one of it) a name that no other has, with the reason in it; where it lies now.

    Raises:
        HarnessError: The storage does not answer.
    """
    before = archived_names(names, trial)
    number = int(before[-1].rpartition("-")[2]) + 1 if before else 1
    aside = storage / f"{trial}.superseded-{number}"
    (storage / trial if folder is None else folder).rename(aside)
    with suppress(HarnessError):
        # The move alone is what counts.
        aside.write(WHY, ArchiveNote(reason=reason, at=int(time.time() * 1000)).model_dump_json().encode())
    return aside


def archive_note(folder: Folder) -> ArchiveNote:
    """Why a folder was put aside; an older one, or one that cannot be read, does not say."""
    with suppress(HarnessError, ValidationError):
        if WHY in folder.list_names():
            return ArchiveNote.model_validate_json(folder.read(WHY))
    return ArchiveNote()
