"""Where a report lies: one kind of report in a directory, and all of its files put in place at once."""

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
"""What each kind of report has beside its README.md."""
PAGES: dict[Kind, str] = {
    "experiment": "the report of an experiment",
    "comparison": "a report over several experiments",
    "costs": "a table of measured costs",
}


def report_kind(directory: Path) -> Kind | None:
    """Which kind of report lies in a directory; None where there is none."""
    return next((kind for kind, mark in MARKS.items() if (directory / mark).exists()), None)


def require_report_directory(directory: Path, kind: Kind = "experiment") -> None:
    """Refuse a report's directory that could not be written to, leads elsewhere by a link, or is another report's.

    ``--reports`` itself may be a link; one below it, as a checkout may bring, would put files where nobody looks.

    Raises:
        HarnessError: It is so.
    """
    require_writable(directory)
    for place in (directory, directory / "figures", directory / "results"):
        if place.is_symlink():
            raise HarnessError(
                "a report is not written through a link",
                where=str(place),
                remedy="Remove the link, or give the directory that it leads to as --reports.",
            )
    there = report_kind(directory)
    if there is not None and not (directory / MARKS[kind]).exists():
        raise HarnessError(
            f"{PAGES[there]} lies there already, which {PAGES[kind]} would replace",
            where=str(directory),
            remedy="Choose another name, or another directory as --reports.",
        )


def install_files(directory: Path, content: Mapping[str, bytes], stale: Sequence[str] = ()) -> None:
    """Write all files beside their places on the same disk, then move each; those that come last in ``content`` last.

    Args:
        content: By path relative to ``directory``. The README, which names the others, belongs at the end.
        stale: Files of an earlier report that this one does not have.

    Raises:
        HarnessError: The directory cannot be written to; what was there is left as it was.
    """
    created = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".report-") as name:
            staging = Path(name)
            for path, data in content.items():
                (staging / path).parent.mkdir(exist_ok=True)
                (staging / path).write_bytes(data)
            for path in content:
                (directory / path).parent.mkdir(exist_ok=True)
                (staging / path).replace(directory / path)
            for path in stale:
                (directory / path).unlink(missing_ok=True)
    except BaseException as error:
        if created:
            shutil.rmtree(directory, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise HarnessError(
            f"cannot write the report: {error.strerror or error}",
            where=str(directory),
            remedy="Choose a directory that you may write to, with space left on its disk.",
        ) from error
