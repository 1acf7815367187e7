"""Jobs of clusters on a terminal and as JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.table import Table

from harness.cli.console import out, print_failure, print_text
from harness.cli.output_streams import exit_without_reader
from harness.clusters.remote.ssh import RayStopped
from harness.errors import HarnessError
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.clusters.remote.job_server import Job
    from harness.clusters.remote.sent_jobs import SentJob

LONGEST_MESSAGE = 60
"""Characters of a failed job's message that the table shows."""


def jobs_as_json(jobs: Mapping[str, Sequence[Job] | HarnessError]) -> dict[str, Any]:
    """Return the jobs of each cluster, or why the cluster did not answer, as values for JSON."""
    return {
        cluster: {"error": str(answer)} if isinstance(answer, HarnessError) else [asdict(job) for job in answer]
        for cluster, answer in jobs.items()
    }


def print_jobs(jobs: Mapping[str, Sequence[Job] | HarnessError]) -> None:
    """Print a table of jobs for each cluster, or why the cluster did not answer."""
    if not jobs:
        out.print("No job was sent from here. `harness run EXPERIMENT --cluster FILE` sends one.")
    for cluster, answer in jobs.items():
        if isinstance(answer, RayStopped):
            print_failure(cluster, f"{answer.what}. {answer.remedy}", "stopped")
        elif isinstance(answer, HarnessError):
            print_failure(cluster, answer.what, "unreachable")
        elif answer:
            out.print_table(_jobs_table(cluster, answer))
        else:
            print_text(f"{cluster}: no job yet")


def _jobs_table(cluster: str, jobs: Sequence[Job]) -> Table:
    title = escape_rich(cluster)
    table = Table("job", "state", "started", "took", "", box=None, header_style="bold", title=title)
    table.title_justify = "left"
    for job in jobs:
        started = took = "–"
        if job.started:
            started = datetime.fromtimestamp(job.started / 1000).strftime("%Y-%m-%d %H:%M")
            took = str(timedelta(seconds=round((job.ended or time.time() * 1000) / 1000 - job.started / 1000)))
        message = job.message.partition("\n")[0][:LONGEST_MESSAGE] if job.state == "FAILED" else ""
        table.add_row(escape_rich(job.id), describe_state(job), started, took, escape_rich(message))
    return table


def describe_state(job: Job) -> str:
    """Return a job's state in lower case, with the exit code of a job that failed."""
    code = f", exit code {job.code}" if job.code and job.state == "FAILED" else ""
    return job.state.lower() + code


def describe_pull(sent: SentJob) -> str:
    """Return the command that writes the report of a job's experiment on this machine."""
    if sent.cluster:
        return f"harness pull {sent.experiment} --cluster {sent.cluster}"
    # The address of a job server does not lead to the cluster's record.
    return f"harness report {sent.experiment} --tracking-uri http://HOST:5000"


def print_output(text: str) -> None:
    """Print what a job printed. Control characters are replaced, because the job did not write for this terminal.

    Raises:
        SystemExit: Standard output is a pipe whose reader has ended.
    """
    sys.stdout.write("".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text))
    sys.stdout.flush()
    exit_without_reader()
