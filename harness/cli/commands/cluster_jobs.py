"""The commands on jobs that run on a cluster: attach, status, pull; and how `harness run` sends a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import err, out, print_json, print_note, print_text
from harness.cli.parameters import Cluster, Json, with_options
from harness.errors import EXIT_FAILED, EXIT_USER, HarnessError, Interrupted
from harness.settings import RunOptions, Settings
from harness.settings.run_options import words_to_send
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api.cluster.job_target import JobTarget
    from harness.clusters.remote.sent_jobs import SentJob

app = typer.Typer()


@app.command()
@with_options(Settings, "home")
def attach(
    settings: Settings,
    experiment: Annotated[
        str | None,
        typer.Argument(
            help="The name of an experiment or of a job. Default: the job that was sent last.", metavar="[EXPERIMENT]"
        ),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the job. It writes checkpoints first.")] = False,
) -> None:
    """Follow a job that `harness run --cluster` sent: print what it printed so far, then what it prints next.

    Ctrl-C or a closed terminal leaves the job running, and `harness attach` follows it again. The exit code is that of
    the job.

    Example: harness attach quickstart
    """
    from harness.api.cluster import cluster_jobs
    from harness.cli.views.job_view import describe_state
    from harness.clusters.remote.sent_jobs import find_newest_sent_job

    sent = find_newest_sent_job(settings.home, experiment)
    if not stop:
        _follow(sent)
        return
    with err.status(f"Stopping {escape_rich(sent.job)} ..."):
        job = cluster_jobs.stop(sent)
    print_text(
        f"{sent.job}: {describe_state(job)}. `harness run` with the same options resumes it from its checkpoints."
    )


@app.command()
@with_options(Settings, "home")
def status(settings: Settings, cluster: Cluster = None, as_json: Json = False) -> None:
    """List the jobs of a cluster. Without --cluster, list those of every cluster that a job was sent to from here.

    Exit code 2: Ray has stopped on a head that answers, or the clusters do not answer.

    Example: harness status --cluster cluster.yaml
    """
    from harness.api.cluster import cluster_jobs
    from harness.api.cluster.job_target import JobTarget
    from harness.cli.views.job_view import jobs_as_json, print_jobs
    from harness.clusters.remote.ssh import RayStopped

    jobs = cluster_jobs.status(settings, JobTarget(cluster) if cluster is not None else None)
    if as_json:
        print_json(jobs_as_json(jobs))
    else:
        print_jobs(jobs)
    # Without --cluster, one of several clusters may no longer exist; that is not an error.
    unreachable = [answer for answer in jobs.values() if isinstance(answer, HarnessError)]
    has_stopped = any(isinstance(answer, RayStopped) for answer in unreachable)
    if unreachable and (cluster is not None or has_stopped or len(unreachable) == len(jobs)):
        raise typer.Exit(EXIT_USER)


@app.command()
@with_options(Settings, "home", "reports")
def pull(
    experiment: Annotated[str, typer.Argument(help="The name of the experiment in the record.", metavar="EXPERIMENT")],
    settings: Settings,
    cluster: Cluster = None,
) -> None:
    """Write the report of an experiment on this machine, from the record on the cluster's head.

    Without --cluster, it reads from the cluster that the experiment was last sent to from here. It needs the head's
    MLflow server only: on machines of your own it works after `ray down`, too.

    Example: harness pull quickstart --cluster cluster.yaml
    """
    from harness.api.cluster.job_target import JobTarget
    from harness.api.cluster.pull import pull as pull_report
    from harness.cli.views.report_view import print_report
    from harness.clusters.remote.sent_jobs import find_newest_sent_job

    if cluster is not None:
        target = JobTarget(cluster)
    else:
        alternative = f"Or name the cluster: harness pull {experiment} --cluster FILE."
        target = JobTarget.of(find_newest_sent_job(settings.home, experiment, alternative))
    with out.status(f"Reading the record of {escape_rich(target)} ..."):
        notes: list[str] = []
        verdicts, path = pull_report(experiment, target, settings, notes.append)
    print_report(verdicts, path)
    for note in notes:
        print_note(note)


def send_and_follow(
    experiment: str, target: JobTarget, settings: Settings, options: RunOptions, typed: Mapping[str, Any]
) -> None:
    """Send a run to a cluster, then print what it prints until it ends.

    Args:
        typed: The values that the user typed, by field name; the cluster receives them as they are.
    """
    from harness.api import parse_seeds
    from harness.api.cluster.cluster_options import drop_environment
    from harness.api.cluster.send import send

    if options.seeds is not None:
        parse_seeds(options.seeds)
    try:
        sent = send(
            experiment,
            target,
            drop_environment(settings, typed),
            words_to_send(typed),
            options.overrides,
            settings.data_root,
            _print_progress,
        )
    except Interrupted as interrupt:
        interrupt.message = "Stopped. No job was sent, unless `harness status` lists one."
        raise
    _print_progress(
        f"Ctrl-C leaves the job running. `harness attach {sent.experiment}` follows it again; with --stop it stops it."
    )
    _follow(sent)


def _follow(sent: SentJob) -> None:
    """Print what a job prints until it ends, and exit with its exit code."""
    from harness.api.cluster import cluster_jobs
    from harness.cli.views.job_view import describe_pull, describe_state, print_output

    job = cluster_jobs.follow(sent, print_output, _print_progress)
    if job.state == "SUCCEEDED":
        _print_progress(f"Done. Bring the report home: {describe_pull(sent)}")
        return
    if job.state == "FAILED" and job.code is None:
        raise HarnessError(
            f"the cluster could not run the job: {job.message.strip()[-600:]}",
            where=sent.place,
            remedy="Free space on the disk of the head." if "No space left" in job.message else "",
        )
    _print_progress(f"{sent.job}: {describe_state(job)}.")
    raise typer.Exit(job.code if job.code in cluster_jobs.JOB_EXIT_CODES else EXIT_FAILED)


def _print_progress(text: str) -> None:
    print_text(text, err)
