"""The commands on whole experiments, thin: run, sync, plan."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from harness.cli.jobs import room_on, send
from harness.cli.options import (
    HOME,
    REPORTS,
    Cluster,
    DataRoot,
    Download,
    Experiment,
    Home,
    Json,
    Launcher,
    LauncherOption,
    Overrides,
    Price,
    Reports,
    Seeds,
    Storage,
    TrackingUri,
    duration,
    err,
    out,
)
from harness.errors import EXIT_FAILED, EXIT_LIMIT, EXIT_USER, HarnessError
from harness.text import shown

app = typer.Typer()
WAIT = "20m"
"""For the hosts of a cluster: a cloud's first one boots and installs before it is there."""


@app.command()
def run(
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
    from harness import verbs
    from harness.launching.placement import bill

    remote = cluster is not None or (address or "").startswith(("http://", "https://"))
    if (address is not None or remote) and launcher is Launcher.inline:
        where = "--cluster" if cluster is not None else "--address"
        raise HarnessError("the inline launcher has no cluster", where=where, remedy="Use --launcher ray.")
    if cluster is not None and address is not None:
        raise HarnessError(
            "the file of a cluster tells its address", where="--address", remedy="Leave one of them out."
        )
    limit = None if time_limit is None else duration(time_limit)
    patience = duration(wait or WAIT, "--wait") if wait or hosts or cluster else 0.0
    settings = verbs.Settings(
        home, tracking_uri, launcher.value, address, reports, storage, limit, hosts, patience, at_once
    )
    if remote:
        from harness.verbs.jobs import Place

        given: dict[str, Any] = {
            "--seeds": seeds,
            "--tracking-uri": tracking_uri,
            "--storage": storage,
            "--data-root": data_root,
            "--time-limit": time_limit,
            "--price": price,
        }
        words = [str(word) for option, value in given.items() if value is not None for word in (option, value)]
        words += ["--download"] * download + ["--force"] * force
        if seeds is not None:
            verbs.parse_seeds(seeds)
        send(experiment, Place(cluster, address or ""), settings, words, list(overrides or ()), data_root)
        return
    study = verbs.load_study(experiment, overrides or (), seeds, data_root, download, local=address is None)
    name, resources = study.experiment.name, study.experiment.resources
    bill(0, resources, price)

    def announce(plan: Any) -> None:
        _print_changes(plan)
        if plan.warning:
            err.print(f"[yellow]note[/yellow] {shown(plan.warning)}", soft_wrap=True)
        total, todo = len(plan.trials), len(plan.to_run)
        in_jobs = f" in {len(plan.jobs)} jobs" * (len(plan.jobs) < todo)
        for line in _search_lines(plan):
            out.print(shown(line), soft_wrap=True)
        if not todo:
            waiting = total - plan.count("recorded")
            out.print(f"{name}: nothing to train, all {total} trials are {'trained' if waiting else 'recorded'}.")
            return
        about = timedelta(seconds=round(plan.seconds))
        out.print(
            f"{name}: {todo} of {total} trials to run on {settings.launcher}{in_jobs}, "
            + (f"{plan.concurrency} at a time, about {about}" if address is None or at_once else f"{shown(address)}")
            + f". Ctrl-C stops; the same command{' without --force' * force} goes on."
        )
        if (gpus := bill(plan.trial_seconds, resources, price)) is not None:
            out.print(f"About {gpus}.")

    outcome = verbs.run(study, settings, out, force, announce)
    if outcome.trained:
        trials = f"{outcome.trained} trial{'s' * (outcome.trained != 1)}"
        out.print(f"{trials} in {timedelta(seconds=round(outcome.seconds))}.")
    for label, message in outcome.failed.items():
        err.print(f"[red]failed[/red]  {shown(label)}: {shown(message)}", soft_wrap=True)
    if outcome.unpublished:
        err.print(
            f"{len(outcome.unpublished)} trials are trained but not in the store yet: "
            "run the same command again once it answers, or `harness sync`; nothing is trained twice.",
            soft_wrap=True,
        )
    if outcome.stopped:
        err.print(
            f"Stopped by {shown(outcome.ended)}: {len(outcome.stopped)} of {len(study.everything)} trials are not "
            "done. "
            "What they had in checkpoints is kept; the same command goes on from there.",
            soft_wrap=True,
        )
    if outcome.trouble:
        err.print(shown(outcome.trouble), soft_wrap=True)
    elif verbs.report_due(study, outcome):
        write_report(name, settings)
    elif outcome.to_report(study):
        err.print(
            f"No report yet: a verdict on part of the seeds would be a look. `harness report {name}` takes it.",
            soft_wrap=True,
        )
    if outcome.failed or outcome.unpublished or outcome.trouble:
        raise typer.Exit(EXIT_FAILED)
    if outcome.stopped:
        raise typer.Exit(EXIT_LIMIT if limit is not None else EXIT_FAILED)


def _search_lines(plan: Any) -> list[str]:
    """How far the search of an experiment is, where it has one."""
    study = plan.study
    tune = study.experiment.tune
    if tune is None:
        return []
    if study.choices:
        chosen = [
            f"  {name}: " + ", ".join(f"{k} {v}" for k, v in study.samples_of(name)[number].fields.items())
            for name, number in study.choices.items()
        ]
        return [f"Chosen of {tune.samples} samples each, by {tune.metric}:", *chosen]
    later = sum(later.trials for later in plan.later)
    each = tune.samples * len(tune.seeds)
    return [
        f"The search has {each} trials for each variant; {later} trials follow from its results."
        if later
        else f"The search has {each} trials for each variant."
    ]


def _together_lines(plan: Any) -> list[str]:
    """How trials are packed into jobs, and of which variants they are not although it was asked for."""
    from harness.launching.packing import reasons

    setting = plan.study.experiment.execution.seeds_together
    if setting == "off" or not plan.to_run:
        return []
    most = max(len(job.trials) for job in plan.jobs)
    count = f"{len(plan.jobs)} job{'s' * (len(plan.jobs) > 1)}"
    lines = [f"{count} of up to {most} seeds together." if most > 1 else f"{count}: each trial is trained alone."]
    return lines + [f"  {name} is trained alone: {why}" for name, why in reasons(plan.to_run, plan.study).items()]


def _print_changes(plan: Any) -> None:
    """What is set otherwise than the last time, and what of the record still holds."""
    if not plan.changes:
        return
    out.print(f"Since {plan.study.experiment.name} was last run, this was changed:")
    for line in plan.changes:
        out.print(f"  {line}", markup=False, soft_wrap=True)
    out.print(f"{plan.count('recorded')} of {len(plan.trials)} trials are recorded with these settings and kept.")
    if any(not line.startswith("seeds:") for line in plan.changes):
        out.print(
            "Trials of the old settings stay in the store; the report is replaced. To keep both: --set name=...",
            soft_wrap=True,
        )


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
    from harness import verbs

    done, refused = verbs.sync(experiments or (), verbs.Settings(home, tracking_uri, storage=storage))
    for name, trials in done.items():
        count = f"{len(trials)} trial{'s' * (len(trials) > 1)} mended" if trials else "nothing to do"
        out.print(f"{name}: {count}", markup=False)
        for label, text in trials.items():
            out.print(f"  {label}: {text}", markup=False, soft_wrap=True)
    for name, reason in refused.items():
        err.print(f"[red]not done[/red]  {shown(name)}: {shown(reason)}", soft_wrap=True)
    if refused:
        raise typer.Exit(EXIT_USER)


@app.command()
def plan(
    experiment: Experiment,
    overrides: Overrides = None,
    seeds: Seeds = None,
    launcher: LauncherOption = Launcher.ray,
    cluster: Cluster = None,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    data_root: DataRoot = None,
    download: Download = False,
    price: Price = None,
    as_json: Json = False,
) -> None:
    """Show the trials, what is recorded already, and about how long the rest takes. Starts nothing.

    Where trials use GPUs also about how many GPU-hours, and with --price what they cost. Recorded trials of the
    experiment correct the estimate, which is by rule before there are any.

    With --cluster the time is that of all hosts of the file, and a request that none of them can serve is refused;
    what the cluster itself has recorded is not looked up.
    """
    from harness import verbs
    from harness.launching.placement import bill
    from harness.launching.plan import STATES
    from harness.reporting.wording import listed
    from harness.specs.experiment import SEEDS_FOR_CLAIMS

    settings = verbs.Settings(home, tracking_uri, launcher.value, storage=storage)
    study = verbs.load_study(experiment, overrides or (), seeds, data_root, download)
    bill(0, study.experiment.resources, price)
    if cluster is not None:
        settings = replace(settings, at_once=room_on(cluster, study.experiment.resources))
    planned = verbs.plan(study, settings)
    gpus = bill(planned.trial_seconds, study.experiment.resources, price)
    if as_json:
        jobs = {p.trial.id: number for number, pack in enumerate(planned.jobs) for p in pack.trials}
        rows = [
            {
                "trial": p.trial.id,
                "variant": p.trial.variant.name,
                "seed": p.trial.seed,
                "part": p.part,
                "state": p.state,
                "seconds": p.seconds,
                "job": jobs.get(p.trial.id),
            }
            for p in planned.trials
        ]
        typer.echo(
            json.dumps(
                {
                    "experiment": study.experiment.name,
                    "seconds": planned.seconds,
                    "gpu_hours": gpus and gpus.hours,
                    "price": gpus and gpus.cost,
                    "changes": planned.changes,
                    "warning": planned.warning,
                    "looks": study.experiment.looks,
                    "trials": rows,
                    "later": [asdict(later) for later in planned.later],
                },
                indent=2,
            )
        )
        return
    data, exp = study.data, study.experiment
    out.print(f"[bold]{exp.name}[/bold]: {shown(exp.question)}")
    out.print(
        f"{data.name} {data.size[0]}x{data.size[1]}, {data.train} training, {data.val} validation and {data.test} test "
        f"images, fingerprint {data.fingerprint}; {exp.recipe.epochs} epochs of batch {exp.recipe.batch}."
    )
    out.print(_plan_table(planned))
    states = ", ".join(f"{planned.count(state)} {text}" for state, text in STATES.items() if planned.count(state))
    out.print(f"{len(planned.trials)} trials: {states}.")
    for line in _search_lines(planned):
        out.print(shown(line), soft_wrap=True)
    _print_changes(planned)
    if planned.warning:
        out.print(f"[yellow]note[/yellow] {shown(planned.warning)}", soft_wrap=True)
    for line in _together_lines(planned):
        out.print(shown(line), soft_wrap=True)
    if planned.to_run or planned.later:
        about = str(timedelta(seconds=round(planned.seconds)))
        place = "this machine" if cluster is None else shown(cluster)
        out.print(f"About {about} with {planned.concurrency} at a time on {place} (a rough estimate).")
        if gpus is not None:
            out.print(f"About {gpus}.")
    if exp.contrasts and exp.looks:
        out.print(
            f"Looks at {listed(exp.looks)} seeds share the level of {exp.level:g}: "
            f"a verdict is tested at {exp.look_level:.3g} at each."
        )
    if exp.contrasts and len(exp.seeds) < SEEDS_FOR_CLAIMS:
        out.print(f"[yellow]{len(exp.seeds)} seeds give no verdict; {SEEDS_FOR_CLAIMS} are needed for claims.[/yellow]")


def _plan_table(planned: Any) -> Table:
    """A row for each variant; where variants are tuned, one more for its search and one for what follows."""
    from harness.costs.static import static_costs

    table = Table("variant", "depth", "shortcut", box=None, header_style="bold")
    for heading in ("parameters", "MACs", "trials", "to run", "about"):
        table.add_column(heading, justify="right")
    study = planned.study
    for variant in study.variants:
        costs = static_costs(variant, study.data.size)
        for part in ("common", "search", "tuned"):
            mine = [p for p in planned.trials if p.part == part and p.trial.variant.identity() == variant.identity()]
            later = [w for w in planned.later if w.part == part and w.name.startswith(f"{variant.name}, ")]
            todo = [p for p in mine if p.state in ("new", "started")]
            if part != "common" and not mine and not later:
                continue
            seconds = sum(p.seconds for p in todo) + sum(w.seconds for w in later)
            follow = sum(w.trials for w in later)
            table.add_row(
                shown(variant.name) if part == "common" else f"  {part}",
                str(variant.depth), variant.shortcut, f"{costs.params:,}", f"{costs.macs:,}",
                str(len(mine) + follow), str(len(todo) + follow),
                str(timedelta(seconds=round(seconds))) if todo or later else "–",
            )  # fmt: skip
    return table


def write_report(name: str, settings: Any) -> None:
    """Write the report of one experiment, and print its verdicts and where it lies."""
    from harness import verbs
    from harness.reporting.verdicts import summary_lines

    with out.status("Writing the report ..."):
        verdicts, path = verbs.report(name, settings)
    for line in summary_lines(verdicts):
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"Report: {shown(path)}", soft_wrap=True)
