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
from harness.text import shown

if TYPE_CHECKING:
    from harness.clusters.jobs import Job
    from harness.clusters.submitted import Submitted
    from harness.specs import Resources
    from harness.verbs import Settings

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
    from harness.clusters.submitted import newest
    from harness.verbs import jobs

    sent = newest(home, experiment)
    if stop:
        with err.status(f"Stopping {sent.job} ..."):
            ended = jobs.stop(sent)
        out.print(f"{sent.job}: {_state(ended)}. `harness run` with the same options goes on from its checkpoints.")
        return
    follow(sent)


@app.command()
def status(cluster: Cluster = None, home: Home = HOME, as_json: Json = False) -> None:
    """List the jobs of a cluster; without --cluster, of every cluster that a job was sent to from here."""
    from harness.verbs import Settings, jobs

    found = jobs.status(Settings(home), jobs.Place(cluster) if cluster else None)
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
            err.print(f"[red]away[/red]  {shown(place)}: {shown(each.what)}", soft_wrap=True)
            continue
        table = Table("job", "state", "started", "took", "", box=None, header_style="bold", title=shown(place))
        table.title_justify = "left"
        for job in each:
            took = str(timedelta(seconds=round((job.ended or time.time() * 1000) / 1000 - job.started / 1000)))
            began = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started / 1000)) if job.started else "–"
            message = shown(job.message.partition("\n")[0][:60]) if job.state == "FAILED" else ""
            table.add_row(shown(job.id), _state(job), began, took if job.started else "–", message)
        out.print(table if each else f"{shown(place)}: no job yet")
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
    from harness.clusters.submitted import newest
    from harness.reporting.verdicts import summary_lines
    from harness.verbs import Settings, jobs

    place = jobs.Place(cluster) if cluster else jobs.Place.of(newest(home, experiment))
    with out.status(f"Reading the record of {place} ..."):
        verdicts, page = jobs.pull(experiment, place, Settings(home, reports=reports))
    for line in summary_lines(verdicts):
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"Report: {shown(page)}", soft_wrap=True)


def send(
    experiment: str,
    place: Any,
    settings: Settings,
    options: list[str],
    overrides: list[str],
    data_root: str | None,
) -> None:
    """Send a run to a cluster, and follow it."""
    from harness.verbs import jobs

    try:
        sent = jobs.send(experiment, place, settings, options, overrides, data_root, _say)
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


def follow(sent: Submitted) -> None:
    """Show a job until it ends, then end as it did."""
    from harness.verbs import jobs

    ended = jobs.follow(sent, _show, _say)
    if ended.state == "FAILED" and ended.code is None:
        full = "No space left" in ended.message
        raise HarnessError(
            f"the cluster could not run it: {ended.message.strip()[-600:]}",
            where=sent.place,
            remedy="Make room on the disk of the head." if full else "",
        )
    if ended.state != "SUCCEEDED":
        _say(f"{sent.job}: {_state(ended)}.")
        raise typer.Exit(ended.code if ended.code in jobs.CODES else EXIT_FAILED)
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
    err.print(shown(text), soft_wrap=True)
