"""Paths as users give them, in options and in environment variables: one place that reads them and refuses bad ones.

A path may begin with ``~`` or ``~user`` in every spelling: a shell expands ``--home ~/x`` and not ``--home=~/x``, and
nothing expands a value of an ``.env`` file. A relative path stays relative to the working directory.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError

FILE_URL = re.compile(r"file:(?://(?P<host>[^/]*))?(?P<path>/.*)?", re.IGNORECASE | re.DOTALL)
MOST_BYTES_OF_NAME = 255
"""Longest name of a file or directory on all usual file systems."""
MOST_SHOWN = 80
"""Characters of a path that an error quotes."""


def resolve_path(text: str | Path, option: str, variable: str | None = None) -> Path:
    """Return the path that a user means, with ``~`` expanded.

    Args:
        text: The path.
        option: The option, field or variable that an error names.
        variable: The environment variable from which the value may come instead.

    Raises:
        HarnessError: The path cannot be used: it is empty, too long or not UTF-8, has a ``~user`` that does not exist,
            lies below a file or below a directory that this user may not open, or the working directory is gone.
    """
    given = str(text)
    where = where_given(given, option, variable)
    _require_usable_text(given, where)
    path = Path(_expand_tilde(given, where))
    absolute = working_directory(where) / path
    _require_usable_text(str(absolute), where)
    try:
        _require_short_names(absolute)
        os.lstat(absolute)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HarnessError(
            f"'{_shortened(given)}' cannot be used as a path: {error.strerror}",
            where=where,
            remedy="Choose another directory or file. Every directory above it must be one that you may open.",
        ) from error
    return path


def resolve_directory(text: str | Path, option: str, variable: str | None = None) -> Path:
    """Return the directory that a user means, as :func:`resolve_path` does. It need not exist.

    Raises:
        HarnessError: The path cannot be used, or is a file.
    """
    path = resolve_path(text, option, variable)
    problem = ""
    if os.path.exists(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112 (these two never raise)
        problem = "is not a directory"
    elif path.is_symlink() and not os.path.exists(path):  # noqa: PTH110
        problem = "is a link to something that does not exist here"
    if problem:
        where = where_given(text, option, variable)
        raise HarnessError(f"{path} {problem}", where=where, remedy="Choose another directory.")
    return path


def resolve_place(text: str | Path, option: str, variable: str | None = None) -> str:
    """Return a place that a user means: a URL as it is, or a path as :func:`resolve_path` returns it.

    A URL of the form ``file:///path`` becomes its path.

    Raises:
        HarnessError: The path cannot be used.
    """
    given = str(text)
    url = FILE_URL.fullmatch(given)
    if url is not None and (url["host"] is not None or url["path"]):
        host, path = url["host"] or "", unquote(url["path"] or "")
        if host.startswith("~"):
            host, path = "", f"/{host}{path}"
        if host.lower() not in ("", "localhost"):
            raise HarnessError(
                f"'{_shortened(given)}' is a file of the host {host}, and only files of this machine can be used",
                where=where_given(given, option, variable),
                remedy="Write file:///path, or the path alone.",
            )
        # A URL has no tilde of its own, but it is clear what file:///~/x means.
        given = path.removeprefix("/") if path.startswith("/~") else path
    elif "://" in given:
        return _require_url(given, where_given(given, option, variable))
    return str(resolve_path(given, option, variable))


def where_given(text: str | Path, option: str, variable: str | None) -> str:
    """Return what gave a value, for an error: the environment variable if it holds the same text, else the option."""
    return variable if variable is not None and os.environ.get(variable) == str(text) else option


def working_directory(option: str) -> Path:
    """Return the working directory.

    Args:
        option: What an error names.

    Raises:
        HarnessError: It was deleted, or this user may not open it.
    """
    try:
        return Path.cwd()
    except OSError as error:
        raise HarnessError(
            f"the working directory cannot be found: {error.strerror}",
            where=option,
            remedy="It was probably deleted. Change to a directory that exists: cd ~",
        ) from error


def home_of_user(option: str, name: str = "") -> Path:
    """Return the home directory of this user, or of another one.

    HOME counts first, as in a shell, but not where it is empty.

    Args:
        option: What an error names.
        name: The name of the other user; empty for this one.

    Raises:
        HarnessError: There is no such user, or neither HOME nor the system's list of users gives a directory.
    """
    if not name and Path(os.environ.get("HOME", "")).is_absolute():
        return Path(os.environ["HOME"])
    expanded = _expand_by_system(name)
    if expanded is not None and expanded.is_absolute():
        return expanded
    if name:
        raise HarnessError(
            f"there is no user '{_shortened(name)}', or that user has no home directory",
            where=option,
            remedy=f"Write the whole path, or ./~{_shortened(name)} for a directory with this name.",
        )
    raise HarnessError(
        "this user has no home directory: HOME is not set, and the system does not know the user",
        where=option,
        remedy=f"Set {option} to a directory that you may write to, or set HOME."
        if option.isupper()
        else "Write the whole path, or set HOME.",
    )


def _expand_by_system(name: str) -> Path | None:
    try:
        import pwd

        entry = pwd.getpwnam(name) if name else pwd.getpwuid(os.getuid())
    except (ImportError, KeyError, ValueError):
        # Windows has no such list. A container may run as a user that it does not list.
        return None
    return Path(entry.pw_dir)


def _expand_tilde(text: str, option: str) -> str:
    if not text.startswith("~"):
        return text
    first, slash, rest = text.partition("/")
    return f"{home_of_user(option, first[1:])}{slash}{rest}"


def _require_usable_text(text: str, where: str) -> None:
    """Raise a HarnessError for text that cannot be a path, or that other programs could not take as one."""
    if not text.strip():
        raise HarnessError("the path is empty", where=where, remedy="Give a path, or leave the option out.")
    if "\0" in text:
        raise HarnessError("the path contains a zero character", where=where, remedy="Remove it.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise HarnessError(
            "the path is not valid UTF-8, and a store cannot hold it", where=where, remedy="Rename the directory."
        ) from error


def _require_short_names(path: Path) -> None:
    """Raise an OSError for a name that no directory takes. The system finds only those below existing directories."""
    if any(len(part.encode()) > MOST_BYTES_OF_NAME for part in path.parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def _require_url(url: str, where: str) -> str:
    _require_usable_text(url, where)
    try:
        urlsplit(url)
    except ValueError as error:
        raise HarnessError(f"this is not a URL: {error}", where=where, remedy="Check the address.") from error
    return url


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
