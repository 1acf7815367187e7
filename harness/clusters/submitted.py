"""What was sent to clusters from here, in the state folder: `harness attach` and `harness status` need no address."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from harness.errors import HarnessError, nearest
from harness.files import write_whole
from harness.specs.identity import Spec

FOLDER = "jobs"


class Submitted(Spec):
    """A job that was sent from here.

    Attributes:
        job: As its cluster knows it.
        cluster: The file of the cluster, absolute; empty where it was sent to an address.
        address: Of the job server; empty where a file tells.
        command: What runs there.
        at: Milliseconds since 1970, when it was about to be sent.
    """

    job: str
    experiment: str
    cluster: str = ""
    address: str = ""
    command: str = ""
    at: int = 0

    @property
    def place(self) -> str:
        """Where it was sent to."""
        return self.cluster or self.address


def remember(home: Path, sent: Submitted) -> None:
    """Keep it; done before it is sent, so that one who is killed in between finds it.

    Raises:
        HarnessError: The state folder cannot be written to.
    """
    write_whole(home / FOLDER / f"{sent.job}.json", sent.model_dump_json(indent=2).encode())


def forget(home: Path, sent: Submitted) -> None:
    """The cluster refused it."""
    with suppress(OSError):
        (home / FOLDER / f"{sent.job}.json").unlink()


def remembered(home: Path) -> list[Submitted]:
    """All that was sent from here, newest first; a file that cannot be read is left out."""
    found = []
    for file in (home / FOLDER).glob("*.json"):
        with suppress(OSError, ValidationError):
            found.append(Submitted.model_validate_json(file.read_text()))
    return sorted(found, key=lambda sent: -sent.at)


def newest(home: Path, experiment: str | None) -> Submitted:
    """What was sent last, of one experiment or of all.

    Args:
        experiment: Its name, or the name of a job.

    Raises:
        HarnessError: There is nothing.
    """
    all_sent = remembered(home)
    found = [sent for sent in all_sent if experiment in (None, sent.experiment, sent.job)]
    if found:
        return found[0]
    known = nearest(experiment, {sent.experiment for sent in all_sent}) if experiment else ""
    raise HarnessError(
        f"no job of {experiment} was sent from here" if experiment else "no job was sent from here",
        where=str(home / FOLDER),
        remedy=known or "harness run EXPERIMENT --cluster FILE sends one; --home says where it is remembered.",
    )
