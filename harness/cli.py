"""The commands, thin: each parses its options, calls a verb, and prints what came of it."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer
from rich.table import Table

from harness import __version__, cli_trials
from harness.errors import EXIT_FAILED, EXIT_LIMIT, EXIT_USER, HarnessError, Interrupted
from harness.options import (
    HOME,
    REPORTS,
    DataRoot,
    Download,
    Experiment,
    Home,
    Json,
    Launcher,
    LauncherOption,
    Overrides,
    Reports,
    Seeds,
    Storage,
    TrackingUri,
    duration,
    err,
    out,
)
from harness.text import shown

app = typer.Typer(
    name="harness",
    help="Does depth, or this change of architecture, help here, and what does it cost?\n\n"
    "Start with: harness run quickstart. Then: harness ui.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
variants_app = typer.Typer(help="The catalogue of variants.", no_args_is_help=True)
app.add_typer(variants_app, name="variants")


@app.command()
def run(
    experiment: Experiment,
    overrides: Overrides = None,
    seeds: Seeds = None,
    launcher: LauncherOption = Launcher.ray,
    address: Annotated[str | None, typer.Option("--address", help="A Ray cluster. Default: this machine.")] = None,
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
) -> None:
    """Run what the record does not hold yet, then write the report.

    Trials that are recorded are not run again. Ctrl-C writes checkpoints and stops, a second one stops at once;
    either way the same command goes on from there.

    Example: harness run quickstart --set recipe.epochs=20 --set name=longer
    """
    from harness import verbs

    if address is not None and launcher is Launcher.inline:
        raise HarnessError("the inline launcher has no cluster", where="--address", remedy="Use --launcher ray.")
    limit = None if time_limit is None else duration(time_limit)
    settings = verbs.Settings(home, tracking_uri, launcher.value, address, reports, storage, limit)
    study = verbs.load_study(experiment, overrides or (), seeds, data_root, download, local=address is None)
    name = study.experiment.name

    def announce(plan: Any) -> None:
        _print_changes(plan)
        total, todo = len(plan.trials), len(plan.to_run)
        if not todo:
            waiting = total - plan.count("recorded")
            out.print(f"{name}: nothing to train, all {total} trials are {'trained' if waiting else 'recorded'}.")
            return
        about = timedelta(seconds=round(plan.seconds))
        out.print(
            f"{name}: {todo} of {total} trials to run on {settings.launcher}, {plan.concurrency} at a time, "
            f"about {about}. Ctrl-C stops; the same command{' without --force' * force} goes on."
        )

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
            f"Stopped by {shown(outcome.ended)}: {len(outcome.stopped)} of {len(study.trials)} trials are not done. "
            "What they had in checkpoints is kept; the same command goes on from there.",
            soft_wrap=True,
        )
    if outcome.trouble:
        err.print(shown(outcome.trouble), soft_wrap=True)
    elif len(outcome.failed) + len(outcome.stopped) < len(study.trials):
        _write_report(name, settings)
    if outcome.failed or outcome.unpublished or outcome.trouble:
        raise typer.Exit(EXIT_FAILED)
    if outcome.stopped:
        raise typer.Exit(EXIT_LIMIT if limit is not None else EXIT_FAILED)


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
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    data_root: DataRoot = None,
    download: Download = False,
    as_json: Json = False,
) -> None:
    """Show the trials, what is recorded already, and about how long the rest takes. Starts nothing."""
    from harness import verbs
    from harness.launching.plan import STATES
    from harness.specs.experiment import SEEDS_FOR_CLAIMS

    settings = verbs.Settings(home, tracking_uri, launcher.value, storage=storage)
    study = verbs.load_study(experiment, overrides or (), seeds, data_root, download)
    planned = verbs.plan(study, settings)
    if as_json:
        rows = [
            {
                "trial": p.trial.id,
                "variant": p.trial.variant.name,
                "seed": p.trial.seed,
                "state": p.state,
                "seconds": p.seconds,
            }
            for p in planned.trials
        ]
        typer.echo(
            json.dumps(
                {
                    "experiment": study.experiment.name,
                    "seconds": planned.seconds,
                    "changes": planned.changes,
                    "trials": rows,
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
    table = Table("variant", "depth", "shortcut", box=None, header_style="bold")
    for heading in ("parameters", "MACs", "trials", "to run", "about"):
        table.add_column(heading, justify="right")
    for variant in study.variants:
        mine = [p for p in planned.trials if p.trial.variant.name == variant.name]
        todo = [p for p in mine if p.state in ("new", "started")]
        layers = variant.plan(data.size)
        about = str(timedelta(seconds=round(sum(p.seconds for p in todo)))) if todo else "–"
        table.add_row(
            shown(variant.name), str(variant.depth), variant.shortcut, f"{layers.params:,}", f"{layers.macs:,}",
            str(len(mine)), str(len(todo)), about,
        )  # fmt: skip
    out.print(table)
    states = ", ".join(f"{planned.count(state)} {text}" for state, text in STATES.items() if planned.count(state))
    out.print(f"{len(planned.trials)} trials: {states}.")
    _print_changes(planned)
    if planned.to_run:
        about = str(timedelta(seconds=round(planned.seconds)))
        out.print(f"About {about} with {planned.concurrency} at a time on this machine (a rough estimate).")
    if exp.contrasts and len(exp.seeds) < SEEDS_FOR_CLAIMS:
        out.print(f"[yellow]{len(exp.seeds)} seeds give no verdict; {SEEDS_FOR_CLAIMS} are needed for claims.[/yellow]")


@app.command()
def report(
    experiment: Annotated[str, typer.Argument(help="An experiment's name, or a results.csv.", metavar="EXPERIMENT")],
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    reports: Reports = REPORTS,
) -> None:
    """Write the Markdown report again from the record; trains nothing."""
    from harness import verbs

    _write_report(experiment, verbs.Settings(home, tracking_uri, reports=reports))


def _write_report(name: str, settings: Any) -> None:
    from harness import verbs
    from harness.reporting.verdicts import summary_lines

    with out.status("Writing the report ..."):
        verdicts, path = verbs.report(name, settings)
    for line in summary_lines(verdicts):
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"Report: {shown(path)}", soft_wrap=True)


# The help lists commands in this order, and what is added as a Typer after all of them.
app.registered_commands += cli_trials.app.registered_commands


@variants_app.command("list")
def variants_list(as_json: Json = False) -> None:
    """All named variants with their costs at the family's own input size."""
    from harness.specs import Catalogue

    catalogue = Catalogue.load()
    rows = []
    for variant in catalogue.members():
        side = catalogue.family(variant.family).input_size
        layers = variant.plan(side)
        rows.append(
            {
                "name": variant.name,
                "depth": variant.depth,
                "block": variant.block,
                "shortcut": variant.shortcut,
                "input": f"{variant.in_channels}x{side}x{side}",
                "parameters": layers.params,
                "macs": layers.macs,
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, header_style="bold")
    for heading in rows[0]:
        table.add_column(heading, justify="right" if heading in ("depth", "parameters", "macs") else "left")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else shown(value) for value in row.values()))
    out.print(table)
    rules = [
        f"{f.member_prefix}N with N = {rule} ({block})"
        for f in catalogue.families.values()
        for block, rule in f.depth.items()
    ]
    out.print(f"Also at any depth: {', '.join(rules)}. MACs per image, convolutions and linear layers only.")


@variants_app.command("show")
def variants_show(
    name: Annotated[str, typer.Argument(help="Such as resnet18, cifar-plain56, cifar-resnet1202.")],
    size: Annotated[int | None, typer.Option("--input", help="Side of the image in pixels.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """One variant: its spec, and its stages with shapes and costs."""
    from harness.specs import Catalogue

    catalogue = Catalogue.load()
    variant = catalogue.get(name)
    layers = variant.plan(size or catalogue.family(variant.family).input_size)
    parts = [("stem", layers.stem)]
    parts += [
        (f"stage {n}: {len(stage)} {variant.block} blocks", tuple(layer for block in stage for layer in block.layers()))
        for n, stage in enumerate(layers.stages, start=1)
    ]
    parts.append(("head", (layers.head,)))
    ends = [layers.stem[-1].output, *(stage[-1].output for stage in layers.stages), layers.head.output]
    rows = [
        {"part": part, "output": "x".join(map(str, end)), "parameters": sum(layer.params for layer in inside),
         "macs": sum(layer.macs for layer in inside)}
        for (part, inside), end in zip(parts, ends, strict=True)
    ]  # fmt: skip
    if as_json:
        spec = variant.model_dump(mode="json")
        typer.echo(
            json.dumps(
                {"spec": spec, "depth": variant.depth, "parts": rows, "parameters": layers.params, "macs": layers.macs},
                indent=2,
            )
        )
        return
    out.print(f"[bold]{variant.name}[/bold], depth {variant.depth}: {json.dumps(variant.identity())}")
    table = Table("part", "output", box=None, header_style="bold")
    table.add_column("parameters", justify="right")
    table.add_column("MACs", justify="right")
    for row in rows:
        table.add_row(str(row["part"]), str(row["output"]), f"{row['parameters']:,}", f"{row['macs']:,}")
    table.add_row("all", "", f"{layers.params:,}", f"{layers.macs:,}", style="bold")
    out.print(table)


@app.command()
def ui(
    experiment: Annotated[str | None, typer.Argument(help="Open at this experiment.")] = None,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    port: Annotated[int, typer.Option("--port", help="On loopback only.", min=1, max=65535)] = 5000,
) -> None:
    """Serve the MLflow UI on the right store, on loopback, until Ctrl-C."""
    from harness.tracking.serving import serve

    raise typer.Exit(serve(tracking_uri, home, experiment, port, out))


@app.command()
def doctor(
    tracking_uri: TrackingUri = None, home: Home = HOME, data_root: DataRoot = None, as_json: Json = False
) -> None:
    """What is installed, which devices, which store, which data sets are at hand. Exit 2 where something is broken."""
    from harness.doctor import examine

    findings = examine(tracking_uri, home, data_root)
    if as_json:
        typer.echo(json.dumps([finding.__dict__ for finding in findings], indent=2))
    else:
        marks = {"ok": "[green]ok[/green]", "absent": "[yellow]absent[/yellow]", "broken": "[red]broken[/red]"}
        table = Table("", "what", "found", box=None, header_style="bold")
        for finding in findings:
            table.add_row(marks[finding.state], finding.what, shown(finding.found))
        out.print(table)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(EXIT_USER)


class SchemaKind(StrEnum):
    """Kinds of YAML file."""

    experiment = "experiment"
    family = "family"


@app.command()
def schema(
    kind: Annotated[SchemaKind, typer.Argument(help="Of experiments/ or variants/.")] = SchemaKind.experiment,
) -> None:
    """Print the JSON Schema of a YAML file, for editors to complete and check it.

    Example: harness schema > experiment.schema.json, and in the YAML's first line
    # yaml-language-server: $schema=experiment.schema.json
    """
    from harness.specs.catalogue import Family
    from harness.specs.experiment import Experiment

    model = Experiment if kind is SchemaKind.experiment else Family
    typer.echo(json.dumps(model.model_json_schema(), indent=2))


def _version(show: bool) -> None:
    if show:
        typer.echo(f"depthbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _interrupt(number: int, frame: Any) -> NoReturn:
    # A second signal does not wait for what the first one began.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda again, _: os._exit(128 + again))
    raise Interrupted(number)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """A warning is a note to the user, without the place in the code that gave it."""
    err.print(f"[yellow]note[/yellow] {shown(message)}", soft_wrap=True)


def main() -> None:
    """Run the command line; errors that a user can mend are printed without a traceback."""
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, _interrupt)
    # torchvision makes torch say so at every start.
    warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated")
    warnings.showwarning = _warn
    try:
        app()
    except HarnessError as error:
        where = f" {shown(error.where)}" if error.where else ""
        err.print(f"[red bold]error[/red bold]{where}", soft_wrap=True)
        err.print(f"  {shown(error.what)}", soft_wrap=True)
        if error.remedy:
            err.print(f"  [green]→[/green] {shown(error.remedy)}", soft_wrap=True)
        sys.exit(EXIT_USER)
    except Interrupted as interrupt:
        err.print("Stopped. What is recorded or in a checkpoint is kept; the same command goes on from there.")
        sys.stdout.flush()
        sys.stderr.flush()
        # Threads of an outbox may still be waiting for a store.
        os._exit(interrupt.exit_code)
