"""All images below a directory, with links followed once, and what was left out on the way."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from harness.data.folders.entries import (
    is_dead_link,
    is_directory,
    is_image,
    is_regular_file,
    list_visible,
    printable_name,
    unreadable,
)

FileId = tuple[int, int]
"""Device and inode: what two paths to one file have in common."""
EXAMPLES = 3
"""Paths that a note names."""

NO_IMAGE = "files left out because they are no images"
OUTSIDE = "images left out because they are in no class folder"
DEAD_LINK = "links left out because they lead nowhere"
CIRCLE = "links left out because they lead back to a folder above them"
COUNTED = "folders left out because their class counts them already, by a link or beside it"
SAME_FILE = "images that are the same file as another one, by a link"


@dataclass
class Findings:
    """Entries that a scan leaves out, with the reason of each, and the files that links lead to.

    Attributes:
        root: The directory below which paths are named.
        has_links: Whether a link was followed.
    """

    root: Path
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    has_links: bool = False

    def add(self, reason: str, path: str | Path) -> None:
        """Count a path under a reason; keep the first ones as examples."""
        self.counts[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(os.path.relpath(path, self.root))

    def count_same_files(self, images: Iterable[Path]) -> None:
        """Count the images that are the same file as an earlier one; a tree without links is not looked at."""
        seen: set[FileId] = set()
        for path in images if self.has_links else ():
            identity = file_id(path)
            if identity in seen:
                self.add(SAME_FILE, path)
            seen.add(identity)

    def notes(self) -> list[str]:
        """Return one line for each reason, with the number of paths and some examples."""
        lines = []
        for reason, examples in self.examples.items():
            names = [printable_name(name) for name in examples]
            more = ", ..." * (self.counts[reason] > len(examples))
            lines.append(f"{reason}: {self.counts[reason]:,} ({', '.join(names)}{more})")
        return lines


def file_id(path: Path) -> FileId:
    """Return device and inode of a file or directory, after links are followed.

    Raises:
        HarnessError: It does not exist or cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return status.st_dev, status.st_ino


def directories_above(folder: Path) -> frozenset[FileId]:
    """Return the identities of a directory and of all directories above it, after links are followed."""
    real = folder.resolve()
    return frozenset(file_id(path) for path in (real, *real.parents))


def list_images(folder: Path, above: frozenset[FileId], found: Findings) -> list[Path]:
    """Return all images in a class folder and in the folders below it, in the order of their paths.

    A link to a file counts as an image of its own. A link to a folder is followed, unless the folder is one above it,
    or is in the class already. Folders come before links to folders, so a link never takes the place of a folder.

    Args:
        folder: The class folder.
        above: Identities of the directories above it.
        found: Receives what is left out.

    Raises:
        HarnessError: A directory or a file cannot be read.
    """
    images: list[Path] = []
    seen: set[FileId] = set()
    queue = [(folder, above | directories_above(folder.parent) | directories_above(folder.resolve().parent))]
    while queue:
        start, outside = queue.pop(0)
        own = file_id(start)
        if own in outside or own in seen:
            found.add(CIRCLE if own in outside else COUNTED, start)
            continue
        for link in _list_tree(start, images, seen, found):
            around = directories_above(link.parent) | directories_above(link.resolve().parent)
            queue.append((link, outside | around))
    return sorted(images)


def _list_tree(start: Path, images: list[Path], seen: set[FileId], found: Findings) -> list[Path]:
    """Add the images of a directory and of the directories below it; return the links to directories."""
    links: list[Path] = []
    folders = [start]
    while folders:
        folder = folders.pop()
        if (own := file_id(folder)) in seen:
            found.add(COUNTED, folder)
            continue
        seen.add(own)
        for entry in list_visible(folder):
            found.has_links |= entry.is_symlink()
            if is_dead_link(entry):
                found.add(DEAD_LINK, entry.path)
            elif is_directory(entry):
                (links if entry.is_symlink() else folders).append(Path(entry.path))
            elif is_regular_file(entry) and is_image(entry):
                images.append(Path(entry.path))
            else:
                found.add(NO_IMAGE, entry.path)
    return sorted(links)
