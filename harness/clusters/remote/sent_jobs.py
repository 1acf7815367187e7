"""The jobs that were sent to clusters from this machine: one JSON file each in the state folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from harness.errors import HarnessError, suggest_nearest
from harness.io.atomic_files import write_atomic
from harness.specs.identity import Spec

FOLDER = "jobs"
"""Folder in the state folder."""


class SentJob(Spec):
    """A job that was sent from this machine.

    Attributes:
        job: Id of the job on its cluster.
        cluster: Absolute path of the cluster's file; empty if the job was sent to an address.
        address: Address of the job server; empty if the job was sent by a file.
        command: The command that the job runs.
        at: Time at which it was sent, in milliseconds since 1970.
    """

    job: str
    experiment: str
    cluster: str = ""
    address: str = ""
    command: str = ""
    at: int = 0

    @property
    def place(self) -> str:
        """The cluster's file, or the address of the job server, to which the job was sent."""
        return self.cluster or self.address


def save_sent_job(home: Path, sent: SentJob) -> None:
    """Write the file of a job; call it before the job is sent, so that no sent job is ever without one.

    Raises:
        HarnessError: The state folder cannot be written to.
    """
    write_atomic(home / FOLDER / f"{sent.job}.json", sent.model_dump_json(indent=2).encode())


def delete_sent_job(home: Path, sent: SentJob) -> None:
    """Delete the file of a job that the cluster refused."""
    with suppress(OSError):
        (home / FOLDER / f"{sent.job}.json").unlink()


def list_sent_jobs(home: Path) -> list[SentJob]:
    """Return the jobs that were sent from this machine, newest first; files that cannot be read are left out."""
    jobs = []
    for file in (home / FOLDER).glob("*.json"):
        with suppress(OSError, ValidationError):
            jobs.append(SentJob.model_validate_json(file.read_text()))
    return sorted(jobs, key=lambda sent: -sent.at)


def find_newest_sent_job(home: Path, experiment: str | None, alternative: str = "") -> SentJob:
    """Return the job that was sent last.

    Args:
        experiment: Name of an experiment, or id of a job; None for any.
        alternative: What the user can do without such a job; a sentence for the error.

    Raises:
        HarnessError: No such job was sent from this machine.
    """
    jobs = list_sent_jobs(home)
    for sent in jobs:
        if experiment in (None, sent.experiment, sent.job):
            return sent
    send = "Send one with `harness run EXPERIMENT --cluster FILE`, or give the --home that sent it."
    suggestion = suggest_nearest(experiment, {sent.experiment for sent in jobs}) if experiment else ""
    raise HarnessError(
        f"no job of {experiment} was sent from here" if experiment else "no job was sent from here",
        where=str(home / FOLDER),
        remedy=" ".join(filter(None, (suggestion or send, alternative))),
    )
