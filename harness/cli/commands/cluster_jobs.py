"""The commands on jobs that run on a cluster, thin: attach, status, pull; and how `run` sends one."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from harness.cli.options import HOME, REPORTS, Cluster, Home, Json, Reports, err, out
from harness.errors import EXIT_FAILED, EXIT_USER, HarnessError, Interrupted
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api import Settings
    from harness.clusters.remote.job_server import Job
    from harness.clusters.remote.sent_jobs import SentJob
    from harness.specs import Resources

app = typer.Typer()


@app.command()
def attach(
    experiment: Annotated[
        str | None, typer.Argument(help="An experiment or a job. Default: what was sent last.", metavar="[EXPERIMENT]")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the job: it writes checkpoints first.")] = False,
    home: Home = HOME,
) -> None:
    """Follow a job that `harness run --cluster` sent: all it printed so far, then as it goes on.

    Ctrl-C, a closed lid or a killed terminal leave the job running; attach picks it up. The exit code is the job's.

    Example: harness attach quickstart
    """
    from harness.api import cluster_jobs
    from harness.clusters.remote.sent_jobs import newest_sent_job

    sent = newest_sent_job(home, experiment)
    if stop:
        with err.status(f"Stopping {sent.job} ..."):
            ended = cluster_jobs.stop(sent)
        out.print(f"{sent.job}: {_state(ended)}. `harness run` with the same options goes on from its checkpoints.")
        return
    follow(sent)


@app.command()
def status(cluster: Cluster = None, home: Home = HOME, as_json: Json = False) -> None:
    """List the jobs of a cluster; without --cluster, of every cluster that a job was sent to from here."""
    from harness.api import Settings, cluster_jobs

    found = cluster_jobs.status(Settings(home), cluster_jobs.JobTarget(cluster) if cluster else None)
    if as_json:
        answer = {
            place: {"error": str(each)} if isinstance(each, HarnessError) else [asdict(job) for job in each]
            for place, each in found.items()
        }
        typer.echo(json.dumps(answer, indent=2))
    elif not found:
        out.print("No job was sent from here. harness run EXPERIMENT --cluster FILE sends one.")
    for place, each in found.items() if not as_json else ():
        if isinstance(each, HarnessError):
            err.print(f"[red]away[/red]  {escape_rich(place)}: {escape_rich(each.what)}", soft_wrap=True)
            continue
        table = Table("job", "state", "started", "took", "", box=None, header_style="bold", title=escape_rich(place))
        table.title_justify = "left"
        for job in each:
            took = str(timedelta(seconds=round((job.ended or time.time() * 1000) / 1000 - job.started / 1000)))
            began = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started / 1000)) if job.started else "–"
            message = escape_rich(job.message.partition("\n")[0][:60]) if job.state == "FAILED" else ""
            table.add_row(escape_rich(job.id), _state(job), began, took if job.started else "–", message)
        out.print(table if each else f"{escape_rich(place)}: no job yet")
    # Of clusters that nobody asked for, one may be gone for good.
    away = [each for each in found.values() if isinstance(each, HarnessError)]
    if away and (cluster is not None or len(away) == len(found)):
        raise typer.Exit(EXIT_USER)


@app.command()
def pull(
    experiment: Annotated[str, typer.Argument(help="Its name in the record.", metavar="EXPERIMENT")],
    cluster: Cluster = None,
    home: Home = HOME,
    reports: Reports = REPORTS,
) -> None:
    """Write the report of an experiment here, from the record on the cluster's head.

    Without --cluster: the cluster that it was last sent to from here.

    Example: harness pull quickstart --cluster cluster.yaml
    """
    from harness.api import Settings, cluster_jobs
    from harness.clusters.remote.sent_jobs import newest_sent_job
    from harness.reporting.verdicts.verdict import format_summary_lines

    place = cluster_jobs.JobTarget(cluster) if cluster else cluster_jobs.JobTarget.of(newest_sent_job(home, experiment))
    with out.status(f"Reading the record of {place} ..."):
        verdicts, page = cluster_jobs.pull(experiment, place, Settings(home, reports=reports))
    for line in format_summary_lines(verdicts):
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"Report: {escape_rich(page)}", soft_wrap=True)


def send(
    experiment: str,
    place: Any,
    settings: Settings,
    options: list[str],
    overrides: list[str],
    data_root: str | None,
) -> None:
    """Send a run to a cluster, and follow it."""
    from harness.api import cluster_jobs

    try:
        sent = cluster_jobs.send(experiment, place, settings, options, overrides, data_root, _say)
    except Interrupted as interrupt:
        interrupt.kept = "Stopped. Nothing was sent, unless `harness status` shows it."
        raise
    _say(f"Ctrl-C leaves it running; `harness attach {sent.experiment}` picks up, `... --stop` ends it.")
    follow(sent)


def room_on(cluster: Path, resources: Resources) -> int:
    """How many trials the hosts of a file take at once; 0 where it does not say.

    Raises:
        HarnessError: No type of node can serve a trial, or the file is none of Ray's.
    """
    from harness.clusters.capacity import capacity

    promised = capacity(cluster)
    promised.require(resources)
    return promised.at_once(resources) or 0


def follow(sent: SentJob) -> None:
    """Show a job until it ends, then end as it did."""
    from harness.api import cluster_jobs

    ended = cluster_jobs.follow(sent, _show, _say)
    if ended.state == "FAILED" and ended.code is None:
        full = "No space left" in ended.message
        raise HarnessError(
            f"the cluster could not run it: {ended.message.strip()[-600:]}",
            where=sent.place,
            remedy="Make room on the disk of the head." if full else "",
        )
    if ended.state != "SUCCEEDED":
        _say(f"{sent.job}: {_state(ended)}.")
        raise typer.Exit(ended.code if ended.code in cluster_jobs.CODES else EXIT_FAILED)
    bring = f"pull {sent.experiment} --cluster {sent.cluster}"
    if not sent.cluster:
        # A job server does not tell where its cluster keeps the record.
        bring = f"report {sent.experiment} --tracking-uri http://HOST:5000"
    _say(f"Done. Bring the report home: harness {bring}")


def _state(job: Job) -> str:
    code = f", exit code {job.code}" if job.code and job.state == "FAILED" else ""
    return job.state.lower() + code


def _show(text: str) -> None:
    """What the job prints, as it is: it did not know of this terminal, so it holds no codes of its own."""
    sys.stdout.write("".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text))
    sys.stdout.flush()


def _say(text: str) -> None:
    err.print(escape_rich(text), soft_wrap=True)
