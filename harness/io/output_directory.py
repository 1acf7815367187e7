"""The output directory of a report: it holds one kind of report, and its files are replaced together."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError
from harness.io.atomic_files import require_writable

Kind = Literal["experiment", "comparison", "costs"]
MARKS: dict[Kind, str] = {"experiment": "results.csv", "comparison": "results", "costs": "costs.json"}
"""The file or directory by which each kind of report is recognised."""
PAGES: dict[Kind, str] = {
    "experiment": "the report of an experiment",
    "comparison": "a report over several experiments",
    "costs": "a table of measured costs",
}


def report_kind(directory: Path) -> Kind | None:
    """Return the kind of report in a directory; None if it contains no report."""
    return next((kind for kind, mark in MARKS.items() if (directory / mark).exists()), None)


def require_report_directory(directory: Path, kind: Kind = "experiment") -> None:
    """Refuse a directory that cannot be written to, is a link, or contains another kind of report.

    ``--reports`` itself may be a link. A link below it could come from a checkout and lead to a directory of the user.

    Raises:
        HarnessError: The report cannot be written to ``directory``.
    """
    require_writable(directory, "--reports")
    for path in (directory, directory / "figures", directory / "results"):
        if path.is_symlink():
            raise HarnessError(
                "this directory of a report is a link, and a report is not written through a link",
                where=str(path),
                remedy="Remove the link, or give the directory that it leads to as --reports.",
            )
    existing = report_kind(directory)
    if existing is not None and not (directory / MARKS[kind]).exists():
        raise HarnessError(
            f"this directory already contains {PAGES[existing]}, which {PAGES[kind]} would replace",
            where=str(directory),
            remedy="Choose another name, or another directory as --reports.",
        )


def install_files(directory: Path, content: Mapping[str, bytes], stale: Sequence[str] = ()) -> None:
    """Write all files into a temporary directory on the same disk, then move each to its path, in their order.

    Args:
        content: Content of each file by its path relative to ``directory``. The README names the other files, so it
            belongs at the end.
        stale: Files of an earlier report that this report does not have; they are removed.

    Raises:
        HarnessError: The directory cannot be written to.
    """
    created = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".report-") as name:
            staging = Path(name)
            for path, data in content.items():
                (staging / path).parent.mkdir(parents=True, exist_ok=True)
                (staging / path).write_bytes(data)
            for path in content:
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                (staging / path).replace(directory / path)
            for path in stale:
                (directory / path).unlink(missing_ok=True)
    except BaseException as error:
        if created:
            shutil.rmtree(directory, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise HarnessError(
            f"the report cannot be written: {error.strerror or error}",
            where=str(directory),
            remedy="Choose a directory that you may write to, on a disk with free space.",
        ) from error
