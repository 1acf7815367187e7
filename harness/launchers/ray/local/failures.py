"""Why Ray did not start on this machine: found in Ray's exception, in its logs, and in the state of the machine."""

from __future__ import annotations

import os
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.errors import HarnessError
from harness.launchers.ray.local.limits import INLINE

LOGS = ("gcs_server.*", "raylet.*", "dashboard_agent.*", "runtime_env_agent.*")
"""Logs of the processes without which Ray does not start. The others report failures that Ray tolerates."""
HARMLESS = re.compile(r"\b(DEBUG|INFO|WARNING)\b| [DIW] \d+ \d+\]")
"""Begins the messages of a log that are no errors, such as that of a port in place of which Ray takes another."""
TAIL_BYTES = 20_000
"""How much of the end of each log is read."""
SCARCE_MEMORY = 2**30
"""With less available memory than these bytes, a start that failed is put down to memory. Ray's processes take 0.8
GiB."""
PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")
"""Variables that send connections to a proxy server, in small or capital letters."""


@dataclass(frozen=True)
class Cause:
    """A cause of a failed start.

    Attributes:
        sign: Regular expression for the text of an exception or of a log.
        where: The limit, directory or variable.
    """

    sign: str
    what: str
    where: str
    remedy: str


CAUSES = (
    Cause(
        r"Too many open files|EMFILE|ENFILE",
        "a process of Ray may not open enough files",
        "ulimit -n",
        "Run `ulimit -n 4096` in a new shell before the command.",
    ),
    Cause(
        r"Address already in use|[Ff]ailed to bind|No available ports|Unable to find a free port",
        "a port that Ray needs is taken, or no port is free",
        "ports",
        "See with `ss -ltnp` which program has it. Stop that program or an earlier Ray (`ray stop`), and try again.",
    ),
    Cause(
        r"No space left on device|ENOSPC|Disk quota exceeded",
        "there is no space left for Ray's files",
        "TMPDIR",
        "Delete files there, or set RAY_TMPDIR to a short directory on a disk with space.",
    ),
    Cause(
        r"can't start new thread|pthread_create|Resource temporarily unavailable|thread: .*EAGAIN",
        "this user may not start enough processes and threads for Ray",
        "ulimit -u",
        "Run `ulimit -u` to see the limit. End other processes, or ask an administrator for at least 4096.",
    ),
    Cause(
        r"Cannot allocate memory|bad_alloc|MemoryError|[Oo]ut of memory|failed to map segment",
        "there is not enough memory for Ray's processes",
        "memory",
        "Ray needs about 1 GiB beside the trials. End other programs, or give the container more memory.",
    ),
    Cause(
        r"Read-only file system|Permission denied",
        "Ray may not write a file that it needs",
        "permissions",
        "Set RAY_TMPDIR to a short directory that you can write to, and HOME to your own directory.",
    ),
)


def explain_start(error: Exception, directory: Path) -> HarnessError:
    """Return the error for the user.

    Args:
        error: The exception of ``ray.init``.
        directory: The session's directory, with Ray's logs.
    """
    texts = _list_texts(error, directory)
    for text in texts:
        for cause in CAUSES:
            if line := re.search(f".*(?:{cause.sign}).*", text):
                return _describe(cause, line[0])
    for cause in _examine_machine():
        return _describe(cause, _summarise(error))
    lines = [line for text in texts[1:] for line in text.splitlines() if re.search(r" [CE] \d", line)]
    last = f" Its last error: {_shorten(lines[-1])}" if lines else ""
    return HarnessError(
        f"Ray did not start on this machine: {_summarise(error)}.{last}",
        where="--launcher ray",
        remedy="Try again: on a busy machine, Ray's processes may need more time than Ray gives them. " + INLINE,
    )


def _describe(cause: Cause, evidence: str) -> HarnessError:
    return HarnessError(
        f"Ray did not start on this machine: {cause.what} ({_shorten(evidence)})",
        where=cause.where,
        remedy=f"{cause.remedy} {INLINE}",
    )


def _list_texts(error: BaseException, directory: Path) -> list[str]:
    """Return the text of the exception and its causes, and after it the ends of Ray's logs."""
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    texts = ["\n".join(f"{type(cause).__name__}: {cause}" for cause in causes)]
    for name in LOGS:
        for log in sorted(directory.glob(f"session_2*/logs/{name}")):
            with suppress(OSError):
                lines = log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").splitlines()
                texts.append("\n".join(line for line in lines if not HARMLESS.search(line)))
    return texts


def _examine_machine() -> Iterator[Cause]:
    """Yield the causes that the state of this machine suggests."""
    space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if space != resource.RLIM_INFINITY:
        what = f"a process may have {space / 2**30:.1f} GiB of addresses here, and those of Ray take more"
        yield Cause("", what, "ulimit -v", "Run `ulimit -v unlimited` before the command.")
    available = psutil.virtual_memory().available
    if available < SCARCE_MEMORY:
        what = f"{available / 2**20:.0f} MiB of memory are available here"
        yield Cause("", what, "memory", "Ray needs about 1 GiB beside the trials. End other programs.")
    names = [name for name in PROXIES for name in (name, name.upper()) if os.environ.get(name)]
    if names:
        what = f"{names[0]} may send connections within this machine to a proxy server"
        yield Cause("", what, names[0], "Set no_proxy=127.0.0.1,localhost, or unset it for this command.")
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        what = f"the name of this machine, {name}, has no address"
        yield Cause("", what, "hostname", f"Add the line `127.0.0.1 {name}` to /etc/hosts.")


def _summarise(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return _shorten(lines[0]).rstrip(".") if lines else type(error).__name__


def _shorten(line: str) -> str:
    """Return a line without what Ray puts before its message, and at most 200 characters of it."""
    message = re.sub(r"^\[[^\]]*\]\s*|^\(\S+ pid=\d+\)\s*", "", line.strip())
    return message if len(message) <= 200 else f"{message[:200]} ..."
