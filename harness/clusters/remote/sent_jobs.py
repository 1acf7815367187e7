"""What was sent to clusters from here, in the state folder: `harness attach` and `harness status` need no address."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from harness.errors import HarnessError, suggest_nearest
from harness.io.atomic_files import write_atomic
from harness.specs.identity import Spec

FOLDER = "jobs"


class SentJob(Spec):
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


def save_sent_job(home: Path, sent: SentJob) -> None:
    """Keep it; done before it is sent, so that one who is killed in between finds it.

    Raises:
        HarnessError: The state folder cannot be written to.
    """
    write_atomic(home / FOLDER / f"{sent.job}.json", sent.model_dump_json(indent=2).encode())


def delete_sent_job(home: Path, sent: SentJob) -> None:
    """The cluster refused it."""
    with suppress(OSError):
        (home / FOLDER / f"{sent.job}.json").unlink()


def list_sent_jobs(home: Path) -> list[SentJob]:
    """All that was sent from here, newest first; a file that cannot be read is left out."""
    found = []
    for file in (home / FOLDER).glob("*.json"):
        with suppress(OSError, ValidationError):
            found.append(SentJob.model_validate_json(file.read_text()))
    return sorted(found, key=lambda sent: -sent.at)


def find_newest_sent_job(home: Path, experiment: str | None) -> SentJob:
    """What was sent last, of one experiment or of all.

    Args:
        experiment: Its name, or the name of a job.

    Raises:
        HarnessError: There is nothing.
    """
    all_sent = list_sent_jobs(home)
    found = [sent for sent in all_sent if experiment in (None, sent.experiment, sent.job)]
    if found:
        return found[0]
    known = suggest_nearest(experiment, {sent.experiment for sent in all_sent}) if experiment else ""
    raise HarnessError(
        f"no job of {experiment} was sent from here" if experiment else "no job was sent from here",
        where=str(home / FOLDER),
        remedy=known or "harness run EXPERIMENT --cluster FILE sends one; --home says where it is remembered.",
    )
