"""Marks in the cells of tables, and the note that explains each.

Every page writes the notes below a table by :func:`list_mark_notes`, from its cells. So no mark is without its note.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

IMAGES_MARK = "‡"
"""Marks an interval over images, which replaces the t interval if all seeds agree."""
SHARED_MARK = "†"
"""Marks a time that was measured on a shared device."""
NOTES = {
    IMAGES_MARK: "All seeds agree, so a t interval would be empty. The exact binomial interval over the images is "
    "shown instead.",
    SHARED_MARK: "The device was shared, so this time must not be used to compare variants.",
}


def list_mark_notes(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the note of each mark that some cell of a table has, in the order of :data:`NOTES`."""
    cells = [cell for row in rows for cell in row]
    return [f"{mark} {note}" for mark, note in NOTES.items() if any(mark in cell for cell in cells)]
