"""The commands that bring an experiment into the record, thin: run, sync."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import typer

from harness.cli.commands.cluster_jobs import send
from harness.cli.options import HOME, REPORTS, Cluster, DataRoot, Download, Experiment, Home, Launcher, LauncherOption, Overrides, Price, Reports, Seeds, Storage, TrackingUri, duration, err, out
from harness.cli.commands.plan import print_changes, search_lines
from harness.errors import EXIT_FAILED, EXIT_LIMIT, EXIT_USER, HarnessError
from harness.text import escape_rich

app = typer.Typer()
SENT_ALONG = ("seeds", "tracking_uri", "storage", "data_root", "time_limit", "price")
"""Options of a run that a cluster is told of as they were typed."""
WAIT = "20m"
"""For the hosts of a cluster: a cloud's first one boots and installs before it is there."""


@app.command()
def run(
    context: typer.Context,
    experiment: Experiment,
    overrides: Overrides = None,
    seeds: Seeds = None,
    launcher: LauncherOption = Launcher.ray,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            help="A Ray cluster that this machine is part of (auto, HOST:6379), or a job server (http://HOST:8265). "
            "Default: this machine.",
        ),
    ] = None,
    cluster: Cluster = None,
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            help="How long the hosts of a cluster may take to come; then it says what is missing. Default: 20m with "
            "--cluster or --hosts.",
        ),
    ] = None,
    hosts: Annotated[
        int,
        typer.Option(
            "--hosts", help="Of a cluster: wait for so many, the head included. Default: the file's least.", min=0
        ),
    ] = 0,
    at_once: Annotated[
        int,
        typer.Option(
            "--at-once",
            help="Most trials at once, where an autoscaler starts hosts for them. Default: what the file allows.",
            min=0,
        ),
    ] = 0,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    reports: Reports = REPORTS,
    data_root: DataRoot = None,
    download: Download = False,
    time_limit: Annotated[
        str | None,
        typer.Option("--time-limit", help="Stop after so long, with checkpoints: 90s, 30m, 1h30m. Exit code 3."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Train recorded trials again; deletes nothing.")] = False,
    price: Price = None,
) -> None:
    """Run what the record does not hold yet, then write the report.

    Trials that are recorded are not run again. Ctrl-C writes checkpoints and stops, a second one stops at once;
    either way the same command goes on from there.

    With --cluster the working directory is sent to the head of a cluster that `ray up` made, without data, reports
    and store, and the run goes on there, also without this machine: Ctrl-C leaves it running, `harness attach`
    follows it again, `harness pull` brings the report home.

    Example: harness run quickstart --set recipe.epochs=20 --set name=longer
    """
    from harness import api
    from harness.api.settings import SENT
    from harness.experiments.planning.device_budget import gpu_hours

    remote = cluster is not None or (address or "").startswith(("http://", "https://"))
    if (address is not None or remote) and launcher is Launcher.inline:
        where = "--cluster" if cluster is not None else "--address"
        raise HarnessError("the inline launcher has no cluster", where=where, remedy="Use --launcher ray.")
    if cluster is not None and address is not None:
        raise HarnessError(
            "the file of a cluster tells its address", where="--address", remedy="Leave one of them out."
        )
    if download and (remote or address is not None):
        # Every node would fetch it by itself, and those that start later in the middle of a run.
        raise HarnessError(
            "the nodes of a cluster download no data set",
            where="--download",
            remedy="`harness data pack NAME --download --to FILE` (where all nodes see it, or in a bucket), then "
            "--data-root FILE.",
        )
    limit = None if time_limit is None else duration(time_limit)
    patience = duration(wait or WAIT, "--wait") if wait or hosts or cluster else 0.0
    settings = api.Settings(
        home, tracking_uri, launcher.value, address, reports, storage, limit, hosts, patience, at_once
    )
    if remote:
        from harness.api.cluster_jobs import JobTarget

        # What this machine's environment says is not the cluster's.
        typed = [
            name for name in SENT_ALONG if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
        ]
        settings = replace(settings, storage=storage if "storage" in typed else None)
        words = [str(word) for name in typed for word in (f"--{name.replace('_', '-')}", context.params[name])]
        words += ["--force"] * force
        if seeds is not None:
            api.parse_seeds(seeds)
        send(experiment, JobTarget(cluster, address or ""), settings, words, list(overrides or ()), data_root)
        return
    study = api.load_resolved_experiment(experiment, overrides or (), seeds, data_root, download, local=address is None)
    name, resources = study.experiment.name, study.experiment.resources
    sent = bool(os.environ.get(SENT))
    gpu_hours(0, resources, price)

    def announce(plan: Any) -> None:
        print_changes(plan)
        if plan.warning:
            err.print(f"[yellow]note[/yellow] {escape_rich(plan.warning)}", soft_wrap=True)
        total, todo = len(plan.trials), len(plan.to_run)
        in_jobs = f" in {len(plan.jobs)} jobs" * (len(plan.jobs) < todo)
        for line in search_lines(plan):
            out.print(escape_rich(line), soft_wrap=True)
        if not todo:
            waiting = total - plan.count("recorded")
            out.print(f"{name}: nothing to train, all {total} trials are {'trained' if waiting else 'recorded'}.")
            return
        about = timedelta(seconds=round(plan.seconds))
        out.print(
            f"{name}: {todo} of {total} trials to run on {settings.launcher}{in_jobs}, "
            + (
                f"{plan.concurrency} at a time, about {about}"
                if address is None or at_once
                else f"{escape_rich(address)}"
            )
            + f". {f'`harness attach {name} --stop`' if sent else 'Ctrl-C'} stops; "
            + f"the same command{' without --force' * force} goes on."
        )
        if (gpus := gpu_hours(plan.trial_seconds, resources, price)) is not None:
            out.print(f"About {gpus}.")

    outcome = api.run(study, settings, out, force, announce)
    if outcome.trained:
        trials = f"{outcome.trained} trial{'s' * (outcome.trained != 1)}"
        out.print(f"{trials} in {timedelta(seconds=round(outcome.seconds))}.")
    for label, message in outcome.failed.items():
        err.print(f"[red]failed[/red]  {escape_rich(label)}: {escape_rich(message)}", soft_wrap=True)
    if outcome.unpublished:
        err.print(
            f"{len(outcome.unpublished)} trials are trained but not in the store yet: "
            "run the same command again once it answers, or `harness sync`; nothing is trained twice.",
            soft_wrap=True,
        )
    if outcome.stopped:
        err.print(
            f"Stopped by {escape_rich(outcome.ended)}: {len(outcome.stopped)} of {len(study.everything)} trials are not "
            "done. "
            "What they had in checkpoints is kept; the same command goes on from there.",
            soft_wrap=True,
        )
    if outcome.trouble:
        err.print(escape_rich(outcome.trouble), soft_wrap=True)
    elif api.report_due(study, outcome):
        # Of a run that was sent it lies on the head, and `harness pull` brings it home.
        write_report(name, settings, place=not sent)
    elif outcome.to_report(study):
        err.print(
            f"No report yet: a verdict on part of the seeds would be a look. `harness report {name}` takes it.",
            soft_wrap=True,
        )
    if outcome.failed or outcome.unpublished or outcome.trouble:
        raise typer.Exit(EXIT_FAILED)
    if outcome.stopped:
        raise typer.Exit(EXIT_LIMIT if limit is not None else EXIT_FAILED)


@app.command()
def sync(
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Names; all that are recorded.", metavar="[NAME]...")
    ] = None,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Bring the store up to what the checkpoints hold, and end the runs that dead processes left. Trains nothing."""
    from harness import api

    done, refused = api.sync(experiments or (), api.Settings(home, tracking_uri, storage=storage))
    for name, trials in done.items():
        count = f"{len(trials)} trial{'s' * (len(trials) > 1)} mended" if trials else "nothing to do"
        out.print(f"{name}: {count}", markup=False)
        for label, text in trials.items():
            out.print(f"  {label}: {text}", markup=False, soft_wrap=True)
    for name, reason in refused.items():
        err.print(f"[red]not done[/red]  {escape_rich(name)}: {escape_rich(reason)}", soft_wrap=True)
    if refused:
        raise typer.Exit(EXIT_USER)


def write_report(name: str, settings: Any, place: bool = True) -> None:
    """Write the report of one experiment, and print its verdicts and, where asked, its place."""
    from harness import api
    from harness.reporting.verdicts.verdict import format_summary_lines

    with out.status("Writing the report ..."):
        verdicts, path = api.report(name, settings)
    for line in format_summary_lines(verdicts):
        out.print(line, markup=False, soft_wrap=True)
    if place:
        out.print(f"Report: {escape_rich(path)}", soft_wrap=True)
