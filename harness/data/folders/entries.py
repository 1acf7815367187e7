"""The entries of a folder of images: which are hidden, which are images, and what they are called in a message."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.errors import HarnessError
from harness.text import one_line

SYSTEM_NAMES = frozenset(
    (
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "desktop db", "desktop df"),
        *("__macosx", "network trash folder", "temporary items", "lost+found", "__pycache__"),
        *("$recycle.bin", "system volume information", "found.000"),
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "~snapshot"),
    )
)
"""Names, in lower case, of entries that operating systems and file servers add without being asked."""
IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".apng", ".gif", ".bmp", ".dib"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".webp"),
    )
)
"""Endings of image files, in lower case, that every Pillow reads."""
OPTIONAL_SUFFIXES = {
    ".avif": "avif",
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".jpc", ".j2c"), "jpg_2000"),
}
"""Endings of image files, with the feature that Pillow needs to read them."""
OTHER_SUFFIXES = frozenset(
    (
        *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".html", ".md", ".mat", ".npy", ".npz"),
        *(".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".pef", ".rw2", ".raf", ".srw"),
        *(".part", ".partial", ".crdownload", ".download", ".tmp", ".bak", ".old", ".orig"),
    )
)
"""Endings of files that are never counted: text, camera files (of which Pillow reads only the preview), copies."""
SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF.{4}WEBP|II\*\0|MM\0\*|P[1-6]\s+[#\d]|BM.{4}\0\0\0\0.{4}[\x0c-\x7c]\0\0\0",
    re.DOTALL,
)
"""The first bytes of the image formats that every Pillow reads."""
OPTIONAL_SIGNATURES = {
    "avif": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
    "jpg_2000": re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
}
SIGNATURE_BYTES = 32
NAME_LENGTH = 60
"""Characters of a name that a message shows."""


def is_hidden(name: str) -> bool:
    """Return whether an entry is hidden, or was added by an operating system or a file server."""
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES


def list_visible(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a directory by name, without the hidden ones.

    Raises:
        HarnessError: The directory is missing or cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not is_hidden(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from error


def is_directory(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a directory or leads to one."""
    return not is_dead_link(entry) and entry.is_dir()


def is_regular_file(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a file or leads to one; a pipe or a device is none."""
    return not is_dead_link(entry) and entry.is_file()


def is_dead_link(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a link that leads nowhere.

    Raises:
        HarnessError: What it leads to may not be looked at.
    """
    if not entry.is_symlink():
        # The directory's listing has the kind of each entry, so that only links need a look at the file.
        return False
    try:
        entry.stat()
    except PermissionError as error:
        raise unreadable(Path(entry.path), error) from error
    except OSError:
        # The target is missing, or links lead to each other in a circle.
        return True
    return False


def is_image(entry: os.DirEntry[str]) -> bool:
    """Return whether a file is an image, by the end of its name, else by its first bytes.

    Raises:
        HarnessError: The file cannot be read.
    """
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (a Path for every file takes longer)
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix in OTHER_SUFFIXES or entry.name.endswith("~"):
        return False
    if suffix in OPTIONAL_SUFFIXES:
        return _has_feature(OPTIONAL_SUFFIXES[suffix])
    try:
        with Path(entry.path).open("rb") as file:
            start = file.read(SIGNATURE_BYTES)
    except OSError as error:
        raise unreadable(Path(entry.path), error) from error
    if SIGNATURE.match(start):
        return True
    return any(pattern.match(start) and _has_feature(name) for name, pattern in OPTIONAL_SIGNATURES.items())


@cache
def _has_feature(name: str) -> bool:
    """Return whether this machine's Pillow has an optional feature."""
    from PIL import features

    # Versions of Pillow before 11.2 do not know AVIF, and answer None with a warning.
    return name in (*features.modules, *features.codecs) and bool(features.check(name))


def unreadable(path: Path, error: OSError) -> HarnessError:
    """Return the error for a file or directory that cannot be read."""
    return HarnessError(
        f"this {'directory' if path.is_dir() else 'file'} cannot be read: {error.strerror or error}",
        where=f"{path}, data.root",
        remedy="Check --data-root, and the permissions of everything below it.",
    )


def printable_name(name: str, most: int = NAME_LENGTH) -> str:
    """Return the name of a file or class as one line of printable text, cut where it is longer than ``most``."""
    text = one_line(name) or "?"
    return text if len(text) <= most else f"{text[: most - 4].rstrip()} ..."


def join_names(names: Sequence[str], most: int = 5) -> str:
    """Return names as ``'a', 'b' and 'c'``, for an error; of the names after ``most`` it tells only their number."""
    shown = [f"'{name[:NAME_LENGTH]}'" for name in names]
    if len(shown) > most:
        shown = [*shown[:most], f"{len(shown) - most} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
