"""Standard output and standard error that never end a command.

A stream may be closed (``>&-``), on a full disk, a pipe whose reader has gone, a terminal that was closed, or unable to
hold a character. A command then goes on, because its results may be in files and in the record. What cannot be written
is dropped, and the exit code says so at the end.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from harness.errors import EXIT_FAILED, EXIT_USER

SUBSTITUTES = str.maketrans("–—−→×·…±│├╮╯─µ≥≤", "--->x..~||++-u><")
"""One character of ASCII for each of ours that an encoding may lack, so that columns stay aligned."""
ERROR_HANDLER = "depthbench"
"""The name of :func:`_replace_characters` for Python's codecs."""
EXIT_PIPE = 128 + signal.SIGPIPE
"""The exit code of a command whose standard output is a pipe without a reader; the shell's code for SIGPIPE."""


class SafeFile(io.FileIO):
    """A file descriptor that is written to until a write fails. What follows is dropped.

    Attributes:
        failure: The first error; None as long as everything was written.
    """

    def __init__(self, descriptor: int, failure: OSError | None = None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.failure = failure

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Write some of the bytes, and return how many. After a failure, return the number of all of them."""
        while self.failure is None:
            try:
                written = super().write(data)
            except OSError as error:
                self.failure = error
            else:
                if written is not None:
                    return written
                # Another process has set the descriptor to non-blocking, and the reader is slow.
                select.select([], [self], [])
        return len(data)


def protect_streams() -> SafeFile | None:
    """Replace standard output and standard error by streams that never fail; return the file of standard output.

    Returns:
        None if the interpreter's own standard output was replaced before, for example by a test.
    """
    codecs.register_error(ERROR_HANDLER, _replace_characters)
    if sys.stdin is None:
        _occupy(0)
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115 (open until the process ends)
    if sys.stderr is sys.__stderr__:
        sys.stderr, _ = _protect(sys.stderr, 2)
    if sys.stdout is not sys.__stdout__:
        return None
    sys.stdout, file = _protect(sys.stdout, 1)
    return file


def _protect(stream: TextIO | None, descriptor: int) -> tuple[TextIO, SafeFile]:
    """Return a stream that never fails for a descriptor, and the file below it.

    Args:
        stream: The interpreter's stream; None if the descriptor was closed when the interpreter started.
    """
    failure = None
    if stream is None:
        failure = OSError(errno.EBADF, "it is closed")
        _occupy(descriptor)
        file = SafeFile(os.open(os.devnull, os.O_WRONLY), failure)
    else:
        with suppress(OSError):
            stream.flush()
        file = SafeFile(descriptor)
    text = io.TextIOWrapper(
        io.BufferedWriter(file),  # type: ignore[type-var]
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors=ERROR_HANDLER,
        line_buffering=descriptor == 2 or file.isatty(),
    )
    return text, file


def _occupy(descriptor: int) -> None:
    """Open the null device under a closed descriptor, because the next file that is opened would get its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)


def _replace_characters(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII in place of the characters that an encoding lacks, and where to continue."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(SUBSTITUTES)
    return "".join(c if c.isascii() else "?" for c in text), error.end


def exit_without_reader() -> None:
    """End a command that only prints, and that would print for hours, once its standard output has no reader.

    Raises:
        SystemExit: Standard output is a pipe whose reader has ended.
    """
    file = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(file, SafeFile) and file.failure is not None and file.failure.errno == errno.EPIPE:
        sys.exit(EXIT_PIPE)


def final_exit_code(code: int, file: SafeFile | None) -> int:
    """Return the exit code of a command that ended with ``code``, and report lost output on standard error.

    Lost output replaces the codes 0 and 1, which say something about the results that were to be printed.

    Args:
        file: The file of standard output; None if it is not ours.
    """
    if file is None:
        return code
    with suppress(ValueError):
        sys.stdout.flush()
    if file.failure is None:
        return code
    is_pipe = file.failure.errno == errno.EPIPE
    if not is_pipe:
        reason = file.failure.strerror or str(file.failure)
        print(
            f"error standard output: {reason}. The printed text is incomplete; files and the record are not affected.",
            file=sys.stderr,
        )
    if code not in (0, EXIT_FAILED):
        return code
    return EXIT_PIPE if is_pipe else EXIT_USER
