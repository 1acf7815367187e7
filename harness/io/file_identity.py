"""The identity of a file or directory on this machine: a copy has another one, at whatever path it is."""

from __future__ import annotations

from pathlib import Path


def file_identity(path: Path) -> str:
    """Return the device and the number of a file or directory; empty where it does not exist.

    It holds on one host until the next boot. A renamed file keeps it, a copy gets another one.
    """
    try:
        stat = path.stat()
    except OSError:
        return ""
    return f"{stat.st_dev:x}-{stat.st_ino:x}"


def add_identity(token: str, path: Path | None) -> str:
    """Return a token that also names the file or directory for which it was made; None for a place without one."""
    identity = file_identity(path) if path is not None else ""
    return f"{token}@{identity}" if identity else token


def is_of_another_file(token: str, path: Path | None) -> bool:
    """Return whether a token of a process of this host was made for another file, of which ``path`` is a copy.

    False where the token, or the path, does not tell.
    """
    made_for = token.partition("@")[2]
    identity = file_identity(path) if path is not None else ""
    return bool(made_for and identity) and made_for != identity
