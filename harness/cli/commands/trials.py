"""The commands on single trials, thin: list, show, logs, rerun, discard, gc."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import HOME, DataRoot, Home, Json, Storage, TrackingUri, err, out
from harness.cli.views.trial_views import everything, print_all, print_comparison, print_list, row, size, when
from harness.errors import EXIT_FAILED, EXIT_LIMIT, HarnessError, suggest_nearest
from harness.text import escape_rich, one_line

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    pass

app = typer.Typer()

Names = Annotated[list[str] | None, typer.Argument(help="Names; all that are recorded.", metavar="[EXPERIMENT]...")]
Id = Annotated[str, typer.Argument(help="A trial's id, or its first digits (at least 4).", metavar="ID")]


def _settings(tracking_uri: str | None, home: Path, storage: str | None, launcher: str = "ray") -> Any:
    from harness.api import Settings

    return Settings(home, tracking_uri, launcher, storage=storage)


@app.command()
def trials(
    experiments: Names = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="Only these: failed, died, stopped, running, ... Repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were discarded or superseded.")] = False,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """List trials: state, variant, seed, last epoch, age, errors. Starts nothing.

    Example: harness trials quickstart --state failed --state died
    """
    from harness.api.trials import trials_of
    from harness.trials.status import STATES

    for word in state or ():
        if word not in STATES:
            raise HarnessError(f"'{word}' is no state of a trial", where="--state", remedy=suggest_nearest(word, STATES))
    settings = _settings(tracking_uri, home, storage)
    found, troubles = trials_of(experiments or (), settings)
    aside = everything or bool({"discarded", "superseded"} & set(state or ()))
    rows = {name: found.of(name) + (found.aside_of(name) if aside else []) for name in found.records}
    wanted = {name: [k for k in of if not state or k.state in state] for name, of in rows.items()}
    if as_json:
        typer.echo(json.dumps([row(name, known) for name, of in wanted.items() for known in of], indent=2))
    else:
        for name, of in wanted.items():
            print_list(name, of, rows[name])
        if not rows and not troubles:
            out.print(f"Nothing is recorded in {escape_rich(settings.home)} yet.", soft_wrap=True)
    for name, trouble in troubles.items():
        err.print(f"{escape_rich(name)} cannot be read: {escape_rich(trouble)}", soft_wrap=True)


@app.command()
def show(
    trial: Id,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Everything known of one trial: its spec, state, costs, metrics, attempts, and where it lies."""
    from harness.api.trials import show_trial

    known, _ = show_trial(trial, _settings(tracking_uri, home, storage))
    if as_json:
        typer.echo(json.dumps(everything(known), indent=2))
        return
    print_all(known)


@app.command()
def logs(
    trial: Id,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """What happened to a trial, in order: attempts, epochs, notes, errors, and a failure's traceback."""
    from harness.api.trials import show_trial, traceback
    from harness.trials.events import events

    known, found = show_trial(trial, _settings(tracking_uri, home, storage))
    lines = list(events(known, traceback(known, found)))
    if as_json:
        typer.echo(json.dumps([line.__dict__ for line in lines], indent=2))
        return
    out.print(f"[bold]{known.id}[/bold] {escape_rich(known.label)}: {escape_rich(known.state_shown)}", soft_wrap=True)
    if not lines:
        out.print(
            escape_rich(f"Nothing has happened to it yet; its checkpoints would be in {known.folder}"), soft_wrap=True
        )
    for line in lines:
        at = when(line.at) if line.at is not None else " " * 19
        out.print(escape_rich(line.text if line.kind == "traceback" else f"{at}  {line.text}"), soft_wrap=True)


@app.command()
def rerun(
    trial: Id,
    inline: Annotated[
        bool,
        typer.Option(
            "--inline", help="In this process; an exception opens a debugger (pdb) where there is a terminal."
        ),
    ] = False,
    address: Annotated[str | None, typer.Option("--address", help="A Ray cluster. Default: this machine.")] = None,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    data_root: DataRoot = None,
) -> None:
    """Train one trial again, and say whether it gives the same, bit for bit.

    A trial that is done is trained anew beside its recorded self, which stays in the record until the new one is
    done, and then is superseded as with --force: a tag on its MLflow run, another name for its checkpoints, nothing
    deleted. If the new one fails or is stopped, the record is as it was. A trial that is not done goes on from its
    checkpoint, as harness run would have it; to begin it anew, discard it first.
    """
    from harness.api.rerun import rerun as train_again
    from harness.trials.rerun import DebugLauncher

    if inline and address is not None:
        raise HarnessError("--inline has no cluster", where="--address", remedy="Leave one of them out.")
    settings = _settings(tracking_uri, home, storage, "inline" if inline else "ray")
    if address is not None:
        from dataclasses import replace

        settings = replace(settings, address=address)
    launcher = DebugLauncher() if inline else None
    done = train_again(trial, settings, out, launcher, data_root)
    known, outcome = done.known, done.outcome
    if done.now is not None and done.before is not None:
        print_comparison(done.before, done.now)
        name = known.experiments[0]
        out.print(f"The old one is superseded and kept; harness report {name} writes the report from the new one.")
        for other in known.experiments[1:]:
            out.print(f"{other} shares this trial: harness run {other} records the new one there.", soft_wrap=True)
    if outcome.trouble or outcome.unpublished:
        err.print(
            escape_rich(outcome.trouble or "It is trained; the store has yet to take it: harness sync."), soft_wrap=True
        )
        raise typer.Exit(EXIT_FAILED)
    if outcome.failed:
        kept = "; the recorded one was not touched" if done.before is not None else ""
        err.print(
            f"[red]failed[/red]  {escape_rich(known.label)}: {escape_rich(one_line(*outcome.failed.values()))}{kept}",
            soft_wrap=True,
        )
        _debug(launcher.error if launcher is not None else None, done.trace)
        raise typer.Exit(EXIT_FAILED)
    if outcome.stopped:
        raise typer.Exit(EXIT_LIMIT)


def _debug(error: Exception | None, trace: str) -> None:
    """Where a user sits at a terminal a debugger, else the traceback: this is what they asked for."""
    err.print(escape_rich(trace), soft_wrap=True)
    if error is not None and sys.stdin.isatty() and sys.stdout.isatty():
        import pdb

        # What was reworded for a user was raised elsewhere.
        raised = error.__cause__ if isinstance(error, HarnessError) and error.__cause__ is not None else error
        pdb.post_mortem(raised.__traceback__)


@app.command()
def discard(
    trials: Annotated[list[str], typer.Argument(help="Ids, or their first digits.", metavar="ID")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever finds them missing.", metavar="TEXT")],
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Take trials out of the record, in every experiment that shares them; deletes nothing.

    Their MLflow runs are tagged, their checkpoints get another name. harness run trains them anew.
    """
    from harness.api.trials import discard as put_away

    settings = _settings(tracking_uri, home, storage)
    done = put_away(trials, reason, settings)
    for label, text in done.items():
        out.print(escape_rich(f"{label}: {text}"), soft_wrap=True)
    if any(text.startswith("discarded") for text in done.values()):
        out.print(
            "Report and means in the UI follow with the next harness run, which trains them anew.", soft_wrap=True
        )


@app.command()
def gc(
    experiments: Names = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be freed; change nothing.")] = False,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Free the space of checkpoints that are of no more use: the tensors of finished and of discarded trials.

    Their histories stay in the checkpoints. Trials that are not finished are not touched.
    """
    from harness.api.trials import clean_up as free
    from harness.tracking.record import open_checkpoint_folder

    settings = _settings(tracking_uri, home, storage)
    freed = free(experiments or (), settings, dry_run)
    if as_json:
        folders = [{"experiment": name} | t.__dict__ for name, tidied in freed.folders.items() for t in tidied]
        found = {"dry_run": dry_run, "freed": freed.bytes, "folders": folders, "skipped": freed.skipped}
        typer.echo(json.dumps(found, indent=2))
        return
    would = "would be freed" if dry_run else "freed"
    for name, tidied in freed.folders.items():
        for one in tidied:
            if one.freed:
                out.print(f"  {one.folder:<26} {size(one.freed):>10}")
            else:
                err.print(escape_rich(f"  {one.folder} was left as it is: {one.left}"), soft_wrap=True)
        total = sum(one.freed for one in tidied)
        if total:
            count = sum(one.freed > 0 for one in tidied)
            whose = escape_rich(name) if name else "of no experiment here"
            out.print(f"{whose}: {size(total)} {would} in {count} folder{'s' * (count != 1)}", soft_wrap=True)
    for name, trouble in freed.skipped.items():
        err.print(f"{escape_rich(name)} was left out: {escape_rich(trouble)}", soft_wrap=True)
    if freed.bytes:
        out.print(
            f"[bold]{size(freed.bytes)}[/bold] {would} in {escape_rich(open_checkpoint_folder(settings))}; all histories stay.",
            soft_wrap=True,
        )
    else:
        out.print(f"Nothing to free in {escape_rich(open_checkpoint_folder(settings))}.", soft_wrap=True)
