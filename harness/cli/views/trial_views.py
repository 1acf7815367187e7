"""How trials look on a terminal and as JSON."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from harness.cli.options import out
from harness.text import escape_rich, one_line

if TYPE_CHECKING:
    from harness.trials.status import TrialSummary

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


def row(name: str, known: TrialSummary) -> dict[str, Any]:
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


def _print_table(listed: list[TrialSummary]) -> None:
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
        notes.append((known.id, escape_rich(note if len(note) <= NOTE else note[: NOTE - 2] + " …")))
        colour = COLOURS[known.state]
        table.add_row(
            known.id, f"[{colour}]{escape_rich(known.state_shown)}[/{colour}]", escape_rich(known.variant), _or(known.seed),
            f"{_or(known.epoch, '?')}/{_or(known.epochs, '?')}", _age(known.at), str(len(known.attempts) or "–"),
            _percent(known.measured("train/error")), _percent(known.measured("test/error")),
            *([notes[-1][1]] if wide else []),
        )  # fmt: skip
    out.print(table)
    for identity, note in notes if not wide else ():
        if note:
            out.print(f"{identity}  {note}", soft_wrap=True)


def print_list(name: str, listed: list[TrialSummary], everything: list[TrialSummary]) -> None:
    counts = Counter(known.state for known in everything)
    summary = ", ".join(f"{counts[state]} {state}" for state in COLOURS if counts[state])
    out.print(f"[bold]{escape_rich(name)}[/bold]: {len(everything)} trials, {summary}", soft_wrap=True)
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
        out.print(
            f"[green]→[/green] harness run {escape_rich(name)} goes on with what is not recorded.", soft_wrap=True
        )


def print_all(known: TrialSummary) -> None:
    """What ``harness show`` prints of a trial."""
    out.print(f"[bold]{known.id}[/bold] {escape_rich(known.label)}", soft_wrap=True)
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in _facts(known):
        grid.add_row(key, escape_rich(value))
    out.print(grid)
    if known.attempts:
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for heading in ("attempt", "process", "started", "from", "ended", "notes"):
            table.add_column(heading, overflow="fold", no_wrap=heading != "notes")
        for attempt in known.attempts:
            at = f"epoch {attempt.epoch}" + f", step {attempt.step}" * bool(attempt.step)
            open_end = known.state_shown if attempt is known.last and known.state == "running" else "died"
            table.add_row(
                str(attempt.number), escape_rich(attempt.process), when(attempt.started), at,
                escape_rich(attempt.ended or open_end), escape_rich("; ".join(attempt.notes)),
            )  # fmt: skip
        out.print(table)
    if known.error:
        out.print(f"[red]error[/red] {escape_rich(known.error)}", soft_wrap=True)
        out.print(f"[green]→[/green] harness logs {known.id} shows its traceback.", soft_wrap=True)


def _facts(known: TrialSummary) -> list[tuple[str, str]]:
    """What the first lines of ``show`` say."""
    from harness.trials.status import STATES

    spec, history = known.spec, known.journal
    facts = [("state", f"{known.state_shown}: {STATES[known.state]}"), ("note", known.note)]
    facts += [("experiments", ", ".join(known.experiments) or "none; there is only its folder")]
    if spec is not None:
        facts += [(part, _fields(getattr(spec, part).identity())) for part in ("variant", "data", "recipe")]
        facts += [("seed", str(spec.seed))]
    facts += [
        ("epoch", f"{_or(known.epoch, '?')} of {_or(known.epochs, '?')}, {when(known.at)} ({_age(known.at)} ago)")
    ]
    if not known.at:
        facts.pop()
    facts += [("checkpoints", str(known.folder))]
    if known.run is not None and known.run.run_id:
        facts += [("MLflow run", f"{known.run.run_id} ({known.run.status})")]
    for place, reason in known.aside:
        facts += [("put aside", f"{place} ({reason.reason or 'nobody wrote why'})")]
    if known.again is not None:
        facts += [("rerun", f"stopped at epoch {known.again.last_epoch}; harness rerun {known.id} goes on with it")]
    if history is not None:
        facts += [("costs", _fields({key.removeprefix("cost/"): value for key, value in history.costs.items()}))]
        if history.epochs:
            last = history.epochs[-1].metrics
            facts += [("metrics", _fields({k: "not finite" if v is None else f"{v:.6g}" for k, v in last.items()}))]
        where = ("device", "software", "kernels", "precision", "revision", "shared", "together")
        facts += [("trained on", _fields({k: history.provenance[k] for k in where if k in history.provenance}))]
    return [(key, value) for key, value in facts if value]


def _fields(values: dict[str, Any]) -> str:
    return "; ".join(
        f"{key} {value if not isinstance(value, dict) else json.dumps(value)}" for key, value in values.items()
    )


def everything(known: TrialSummary) -> dict[str, Any]:
    spec, history, run = known.spec, known.journal, known.run
    return row(known.experiments[0] if known.experiments else "", known) | {
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


def print_comparison(before: Any, now: Any) -> None:
    """Whether two trainings of a trial gave the same; times are clocks, and never do."""
    from harness.trials.rerun import differing_settings, first_difference

    differs = first_difference(before, now)
    if not differs:
        out.print(f"[green]The same bit for bit[/green]: all metrics of all {now.last_epoch} epochs, times left out.")
        return
    out.print(f"[yellow]Not the same[/yellow]; first in {escape_rich(differs)}", soft_wrap=True)
    changed = differing_settings(before, now)
    for line in changed:
        out.print(escape_rich(f"  {line}"), soft_wrap=True)
    if not changed:
        out.print("  Software, device and settings are recorded as the same.", soft_wrap=True)


def _or(value: Any, missing: str = "–") -> str:
    return missing if value is None else str(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def when(at: int) -> str:
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


def size(count: int) -> str:
    """Bytes for a person."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
