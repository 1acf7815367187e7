"""What a plan looks like, and the command that only shows it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import typer
from rich.table import Table

from harness.cli.commands.cluster_jobs import room_on
from harness.cli.options import HOME, Cluster, DataRoot, Download, Experiment, Home, Json, Launcher, LauncherOption, Overrides, Price, Seeds, Storage, TrackingUri, out
from harness.text import escape_rich

app = typer.Typer()


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
    from harness import api
    from harness.experiments.planning.device_budget import gpu_hours
    from harness.experiments.planning.plan import STATES
    from harness.reporting.formatting import join_words
    from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS

    settings = api.Settings(home, tracking_uri, launcher.value, storage=storage)
    study = api.load_resolved_experiment(experiment, overrides or (), seeds, data_root, download)
    gpu_hours(0, study.experiment.resources, price)
    if cluster is not None:
        settings = replace(settings, at_once=room_on(cluster, study.experiment.resources))
    planned = api.plan(study, settings)
    gpus = gpu_hours(planned.trial_seconds, study.experiment.resources, price)
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
    out.print(f"[bold]{exp.name}[/bold]: {escape_rich(exp.question)}")
    out.print(
        f"{data.name} {data.size[0]}x{data.size[1]}, {data.train} training, {data.val} validation and {data.test} test "
        f"images, fingerprint {data.fingerprint}; {exp.recipe.epochs} epochs of batch {exp.recipe.batch}."
    )
    out.print(_plan_table(planned))
    states = ", ".join(f"{planned.count(state)} {text}" for state, text in STATES.items() if planned.count(state))
    out.print(f"{len(planned.trials)} trials: {states}.")
    for line in search_lines(planned):
        out.print(escape_rich(line), soft_wrap=True)
    print_changes(planned)
    if planned.warning:
        out.print(f"[yellow]note[/yellow] {escape_rich(planned.warning)}", soft_wrap=True)
    for line in together_lines(planned):
        out.print(escape_rich(line), soft_wrap=True)
    if planned.to_run or planned.later:
        about = str(timedelta(seconds=round(planned.seconds)))
        place = "this machine" if cluster is None else escape_rich(cluster)
        out.print(f"About {about} with {planned.concurrency} at a time on {place} (a rough estimate).")
        if gpus is not None:
            out.print(f"About {gpus}.")
    if exp.contrasts and exp.looks:
        out.print(
            f"Looks at {join_words(exp.looks)} seeds share the level of {exp.level:g}: "
            f"a verdict is tested at {exp.look_level:.3g} at each."
        )
    if exp.contrasts and len(exp.seeds) < SEEDS_FOR_CLAIMS:
        out.print(f"[yellow]{len(exp.seeds)} seeds give no verdict; {SEEDS_FOR_CLAIMS} are needed for claims.[/yellow]")


def _plan_table(planned: Any) -> Table:
    """A row for each variant; where variants are tuned, one more for its search and one for what follows."""
    from harness.costs.complexity import static_costs

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
                escape_rich(variant.name) if part == "common" else f"  {part}",
                str(variant.depth), variant.shortcut, f"{costs.params:,}", f"{costs.macs:,}",
                str(len(mine) + follow), str(len(todo) + follow),
                str(timedelta(seconds=round(seconds))) if todo or later else "–",
            )  # fmt: skip
    return table


def search_lines(plan: Any) -> list[str]:
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


def together_lines(plan: Any) -> list[str]:
    """How trials are packed into jobs, and of which variants they are not although it was asked for."""
    from harness.experiments.planning.seed_grouping import grouping_obstacles

    setting = plan.study.experiment.execution.seeds_together
    if setting == "off" or not plan.to_run:
        return []
    most = max(len(job.trials) for job in plan.jobs)
    count = f"{len(plan.jobs)} job{'s' * (len(plan.jobs) > 1)}"
    lines = [f"{count} of up to {most} seeds together." if most > 1 else f"{count}: each trial is trained alone."]
    return lines + [
        f"  {name} is trained alone: {why}" for name, why in grouping_obstacles(plan.to_run, plan.study).items()
    ]


def print_changes(plan: Any) -> None:
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
