"""Archived and rerun folders, next to the folders of trials.

``<id>.superseded-<n>`` is an archived folder of a trial, with the reason in it. ``<id>.again`` holds a rerun.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.specs.identity import Spec

ARCHIVED_NAME = re.compile(r"([0-9a-f]{12})\.superseded-(\d+)")
"""The name of an archived folder: the trial's id and the number of the archived folder."""
NOTE_FILE = "superseded.json"
RERUN_SUFFIX = ".again"
"""Ends the name of the folder of a rerun, until the rerun is complete."""
DISCARD_PREFIX = "discarded: "
"""Begins the reason if a user has discarded the trial."""


class ArchiveNote(Spec):
    """The note in an archived folder: the reason and the time.

    Attributes:
        reason: In words; empty in folders that have no note.
        at: When, in milliseconds since 1970; 0 in folders that have no note.
    """

    reason: str = ""
    at: int = 0


def archived_names(names: Iterable[str], trial: str) -> list[str]:
    """Return the names of a trial's archived folders among ``names``, oldest first."""
    matches = [match for match in map(ARCHIVED_NAME.fullmatch, names) if match and match[1] == trial]
    return [match[0] for match in sorted(matches, key=lambda match: int(match[2]))]


def archive_folder(
    storage: Folder, trial: str, names: Iterable[str], reason: str, folder: Folder | None = None
) -> Folder:
    """Rename a folder of a trial to the next free ``<id>.superseded-<n>``, and store the reason in it.

    Args:
        names: The names of all folders in the storage.
        folder: The folder to archive; None for the trial's own.

    Returns:
        The archived folder.

    Raises:
        HarnessError: The storage does not answer.
    """
    earlier_names = archived_names(names, trial)
    number = int(earlier_names[-1].rpartition("-")[2]) + 1 if earlier_names else 1
    target = storage / f"{trial}.superseded-{number}"
    (storage / trial if folder is None else folder).rename(target)
    # The folder counts as archived without its note too.
    with suppress(HarnessError):
        note = ArchiveNote(reason=reason, at=int(time.time() * 1000))
        target.write(NOTE_FILE, note.model_dump_json().encode())
    return target


def read_archive_note(folder: Folder) -> ArchiveNote:
    """Return the note of an archived folder; an empty one if it has none, or if it cannot be read."""
    with suppress(HarnessError, ValidationError):
        if NOTE_FILE in folder.list_names():
            return ArchiveNote.model_validate_json(folder.read(NOTE_FILE))
    return ArchiveNote()
