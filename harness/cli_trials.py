"""The commands on single trials, thin: list, show, logs, rerun, discard, gc."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from harness.errors import EXIT_FAILED, EXIT_LIMIT, HarnessError, nearest
from harness.options import HOME, DataRoot, Home, Json, Storage, TrackingUri, err, out
from harness.text import one_line, shown

if TYPE_CHECKING:
    from harness.launching.known import Known

app = typer.Typer()

Names = Annotated[list[str] | None, typer.Argument(help="Names; all that are recorded.", metavar="[EXPERIMENT]...")]
Id = Annotated[str, typer.Argument(help="A trial's id, or its first digits (at least 4).", metavar="ID")]
COLOURS = {
    "recorded": "green",
    "diverged": "yellow",
    "unpublished": "yellow",
    "running": "cyan",
    "died": "red",
    "stopped": "yellow",
    "failed": "red",
    "new": "dim",
    "discarded": "dim",
    "superseded": "dim",
}
WIDE = 120
"""Columns from which notes have room beside the rest."""
NOTE = 100
"""Characters of a note in the list; `harness show` has all of it."""


def _settings(tracking_uri: str | None, home: Path, storage: str | None, launcher: str = "ray") -> Any:
    from harness.verbs import Settings

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
    from harness.launching.known import STATES
    from harness.verbs_trials import trials_of

    for word in state or ():
        if word not in STATES:
            raise HarnessError(f"'{word}' is no state of a trial", where="--state", remedy=nearest(word, STATES))
    settings = _settings(tracking_uri, home, storage)
    found, troubles = trials_of(experiments or (), settings)
    aside = everything or bool({"discarded", "superseded"} & set(state or ()))
    rows = {name: found.of(name) + (found.aside_of(name) if aside else []) for name in found.records}
    wanted = {name: [k for k in of if not state or k.state in state] for name, of in rows.items()}
    if as_json:
        typer.echo(json.dumps([_row(name, known) for name, of in wanted.items() for known in of], indent=2))
    else:
        for name, of in wanted.items():
            _print_list(name, of, rows[name])
        if not rows and not troubles:
            out.print(f"Nothing is recorded in {shown(settings.home)} yet.", soft_wrap=True)
    for name, trouble in troubles.items():
        err.print(f"{shown(name)} cannot be read: {shown(trouble)}", soft_wrap=True)


def _row(name: str, known: Known) -> dict[str, Any]:
    return {
        "experiment": name,
        "trial": known.id,
        "state": known.state,
        "variant": known.variant,
        "seed": known.seed,
        "epoch": known.epoch,
        "epochs": known.epochs,
        "at": known.at or None,
        "attempts": len(known.attempts),
        "train_error": known.measured("train/error"),
        "test_error": known.measured("test/error"),
        "error": known.error,
        "note": known.note,
    }


def _print_table(listed: list[Known]) -> None:
    """A row for each; on a narrow terminal the notes follow the table, where they have room."""
    wide = out.width >= WIDE
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for heading in ("id", "state", "variant"):
        table.add_column(heading, no_wrap=heading != "variant", overflow="fold")
    for heading in ("seed", "epoch", "age", "tries", "train %", "test %"):
        table.add_column(heading, justify="right", no_wrap=True)
    if wide:
        table.add_column("error or note", overflow="fold")
    notes: list[tuple[str, str]] = []
    for known in listed:
        note = one_line(known.error or known.note)
        notes.append((known.id, shown(note if len(note) <= NOTE else note[: NOTE - 2] + " …")))
        colour = COLOURS[known.state]
        table.add_row(
            known.id, f"[{colour}]{shown(known.state_shown)}[/{colour}]", shown(known.variant), _or(known.seed),
            f"{_or(known.epoch, '?')}/{_or(known.epochs, '?')}", _age(known.at), str(len(known.attempts) or "–"),
            _percent(known.measured("train/error")), _percent(known.measured("test/error")),
            *([notes[-1][1]] if wide else []),
        )  # fmt: skip
    out.print(table)
    for identity, note in notes if not wide else ():
        if note:
            out.print(f"{identity}  {note}", soft_wrap=True)


def _print_list(name: str, listed: list[Known], everything: list[Known]) -> None:
    counts = Counter(known.state for known in everything)
    summary = ", ".join(f"{counts[state]} {state}" for state in COLOURS if counts[state])
    out.print(f"[bold]{shown(name)}[/bold]: {len(everything)} trials, {summary}", soft_wrap=True)
    if listed:
        _print_table(listed)
    for known in listed:
        if known.state == "failed":
            out.print(
                f"[green]→[/green] harness logs {known.id} shows its traceback; "
                f"harness rerun {known.id} --inline opens a debugger there.",
                soft_wrap=True,
            )
            break
    unfinished = sum(counts[state] for state in ("unpublished", "died", "stopped", "failed"))
    if unfinished:
        out.print(f"[green]→[/green] harness run {shown(name)} goes on with what is not recorded.", soft_wrap=True)


@app.command()
def show(
    trial: Id,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Everything known of one trial: its spec, state, costs, metrics, attempts, and where it lies."""
    from harness.verbs_trials import find, with_history

    known, found = find(trial, _settings(tracking_uri, home, storage))
    known = with_history(known, found)
    if as_json:
        typer.echo(json.dumps(_everything(known), indent=2))
        return
    out.print(f"[bold]{known.id}[/bold] {shown(known.label)}", soft_wrap=True)
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in _facts(known):
        grid.add_row(key, shown(value))
    out.print(grid)
    if known.attempts:
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for heading in ("attempt", "process", "started", "from", "ended", "notes"):
            table.add_column(heading, overflow="fold", no_wrap=heading != "notes")
        for attempt in known.attempts:
            at = f"epoch {attempt.epoch}" + f", step {attempt.step}" * bool(attempt.step)
            open_end = known.state_shown if attempt is known.last and known.state == "running" else "died"
            table.add_row(
                str(attempt.number), shown(attempt.process), _when(attempt.started), at,
                shown(attempt.ended or open_end), shown("; ".join(attempt.notes)),
            )  # fmt: skip
        out.print(table)
    if known.error:
        out.print(f"[red]error[/red] {shown(known.error)}", soft_wrap=True)
        out.print(f"[green]→[/green] harness logs {known.id} shows its traceback.", soft_wrap=True)


def _facts(known: Known) -> list[tuple[str, str]]:
    """What the first lines of ``show`` say."""
    from harness.launching.known import STATES

    spec, history = known.spec, known.journal
    facts = [("state", f"{known.state_shown}: {STATES[known.state]}"), ("note", known.note)]
    facts += [("experiments", ", ".join(known.experiments) or "none; there is only its folder")]
    if spec is not None:
        facts += [(part, _fields(getattr(spec, part).identity())) for part in ("variant", "data", "recipe")]
        facts += [("seed", str(spec.seed))]
    facts += [
        ("epoch", f"{_or(known.epoch, '?')} of {_or(known.epochs, '?')}, {_when(known.at)} ({_age(known.at)} ago)")
    ]
    if not known.at:
        facts.pop()
    facts += [("checkpoints", str(known.folder))]
    if known.run is not None and known.run.run_id:
        facts += [("MLflow run", f"{known.run.run_id} ({known.run.status})")]
    for place, reason in known.aside:
        facts += [("put aside", f"{place} ({reason.reason or 'nobody wrote why'})")]
    if history is not None:
        facts += [("costs", _fields({key.removeprefix("cost/"): value for key, value in history.costs.items()}))]
        if history.epochs:
            last = history.epochs[-1].metrics
            facts += [("metrics", _fields({k: "not finite" if v is None else f"{v:.6g}" for k, v in last.items()}))]
        where = ("device", "software", "kernels", "precision", "revision", "shared")
        facts += [("trained on", _fields({k: history.provenance[k] for k in where if k in history.provenance}))]
    return [(key, value) for key, value in facts if value]


def _fields(values: dict[str, Any]) -> str:
    return "; ".join(
        f"{key} {value if not isinstance(value, dict) else json.dumps(value)}" for key, value in values.items()
    )


def _everything(known: Known) -> dict[str, Any]:
    spec, history, run = known.spec, known.journal, known.run
    return _row(known.experiments[0] if known.experiments else "", known) | {
        "experiments": known.experiments,
        "current": known.current,
        "spec": spec.model_dump(mode="json", exclude={"data": {"root"}}) if spec is not None else None,
        "folder": str(known.folder),
        "run_id": run.run_id if run is not None else "",
        "run_status": run.status if run is not None else "",
        "costs": history.costs if history is not None else {},
        "provenance": history.provenance if history is not None else {},
        "metrics": history.epochs[-1].metrics if history is not None and history.epochs else {},
        "attempt": [attempt.model_dump(mode="json") for attempt in known.attempts],
        "put_aside": [{"place": place} | reason.model_dump() for place, reason in known.aside],
    }


@app.command()
def logs(
    trial: Id,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """What happened to a trial, in order: attempts, epochs, notes, errors, and a failure's traceback."""
    from harness.launching.logs import events
    from harness.verbs_trials import find, traceback, with_history

    known, found = find(trial, _settings(tracking_uri, home, storage))
    known = with_history(known, found)
    lines = list(events(known, traceback(known, found)))
    if as_json:
        typer.echo(json.dumps([line.__dict__ for line in lines], indent=2))
        return
    out.print(f"[bold]{known.id}[/bold] {shown(known.label)}: {shown(known.state_shown)}", soft_wrap=True)
    if not lines:
        out.print(shown(f"Nothing has happened to it yet; its checkpoints would be in {known.folder}"), soft_wrap=True)
    for line in lines:
        at = _when(line.at) if line.at is not None else " " * 19
        out.print(shown(line.text if line.kind == "traceback" else f"{at}  {line.text}"), soft_wrap=True)


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
    from harness.launching.again import Inline
    from harness.verbs_trials import rerun as train_again

    if inline and address is not None:
        raise HarnessError("--inline has no cluster", where="--address", remedy="Leave one of them out.")
    settings = _settings(tracking_uri, home, storage, "inline" if inline else "ray")
    if address is not None:
        from dataclasses import replace

        settings = replace(settings, address=address)
    launcher = Inline() if inline else None
    done = train_again(trial, settings, out, launcher, data_root)
    known, outcome = done.known, done.outcome
    if done.now is not None and done.before is not None:
        _print_comparison(done.before, done.now)
        name = known.experiments[0]
        out.print(f"The old one is superseded and kept; harness report {name} writes the report from the new one.")
        for other in known.experiments[1:]:
            out.print(f"{other} shares this trial: harness run {other} records the new one there.", soft_wrap=True)
    if outcome.trouble or outcome.unpublished:
        err.print(
            shown(outcome.trouble or "It is trained; the store has yet to take it: harness sync."), soft_wrap=True
        )
        raise typer.Exit(EXIT_FAILED)
    if outcome.failed:
        kept = "; the recorded one was not touched" if done.before is not None else ""
        err.print(
            f"[red]failed[/red]  {shown(known.label)}: {shown(one_line(*outcome.failed.values()))}{kept}",
            soft_wrap=True,
        )
        _debug(launcher.error if launcher is not None else None, done.trace)
        raise typer.Exit(EXIT_FAILED)
    if outcome.stopped:
        raise typer.Exit(EXIT_LIMIT)


def _print_comparison(before: Any, now: Any) -> None:
    """Whether two trainings of a trial gave the same; times are clocks, and never do."""
    from harness.launching.again import difference, differing_settings

    differs = difference(before, now)
    if not differs:
        out.print(f"[green]The same bit for bit[/green]: all metrics of all {now.last_epoch} epochs, times left out.")
        return
    out.print(f"[yellow]Not the same[/yellow]; first in {shown(differs)}", soft_wrap=True)
    changed = differing_settings(before, now)
    for line in changed:
        out.print(shown(f"  {line}"), soft_wrap=True)
    if not changed:
        out.print("  Software, device and settings are recorded as the same.", soft_wrap=True)


def _debug(error: Exception | None, trace: str) -> None:
    """Where a user sits at a terminal a debugger, else the traceback: this is what they asked for."""
    err.print(shown(trace), soft_wrap=True)
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
    from harness.verbs_trials import discard as put_away

    settings = _settings(tracking_uri, home, storage)
    done = put_away(trials, reason, settings)
    for label, text in done.items():
        out.print(shown(f"{label}: {text}"), soft_wrap=True)
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
    from harness.verbs_trials import gc as free

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
                out.print(f"  {one.folder:<26} {_size(one.freed):>10}")
            else:
                err.print(shown(f"  {one.folder} was left as it is: {one.left}"), soft_wrap=True)
        total = sum(one.freed for one in tidied)
        if total:
            count = sum(one.freed > 0 for one in tidied)
            whose = shown(name) if name else "of no experiment here"
            out.print(f"{whose}: {_size(total)} {would} in {count} folder{'s' * (count != 1)}", soft_wrap=True)
    for name, trouble in freed.skipped.items():
        err.print(f"{shown(name)} was left out: {shown(trouble)}", soft_wrap=True)
    if freed.bytes:
        out.print(
            f"[bold]{_size(freed.bytes)}[/bold] {would} in {shown(settings.folder)}; all histories stay.",
            soft_wrap=True,
        )
    else:
        out.print(f"Nothing to free in {shown(settings.folder)}.", soft_wrap=True)


def _or(value: Any, missing: str = "–") -> str:
    return missing if value is None else str(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1000).strftime("%Y-%m-%d %H:%M:%S")


def _age(at: int) -> str:
    """How long ago, in words; clocks of other machines may be ahead."""
    if not at:
        return "–"
    seconds = max(time.time() - at / 1000, 0)
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"


def _size(count: int) -> str:
    """Bytes for a person."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
