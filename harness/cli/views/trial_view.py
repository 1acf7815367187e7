"""Everything about one trial on a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table

from harness.cli.console import out
from harness.cli.formatting import format_age, format_time, format_value
from harness.cli.views.trial_list_view import trial_as_json
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.tracking.history import History
    from harness.trials.summary import TrialSummary

TRAINED_ON = ("device", "software", "kernels", "precision", "revision", "shared", "together")
"""Provenance of the machine and the software on which a trial was trained."""


def full_trial_as_json(trial: TrialSummary) -> dict[str, Any]:
    """Return everything about a trial as values for JSON.

    The keys are those of earlier versions, so that scripts can still read them.
    """
    spec, history, run = trial.spec, trial.history, trial.run
    return trial_as_json(trial.experiments[0] if trial.experiments else "", trial) | {
        "experiments": trial.experiments,
        "current": trial.is_current,
        "spec": spec.model_dump(mode="json", exclude={"data": {"root"}}) if spec is not None else None,
        "folder": str(trial.folder),
        "run_id": run.run_id if run is not None else "",
        "run_status": run.run_status if run is not None else "",
        "costs": history.costs if history is not None else {},
        "provenance": history.provenance if history is not None else {},
        "metrics": history.epochs[-1].metrics if history is not None and history.epochs else {},
        "attempt": [
            attempt.model_dump(mode="json", exclude={"end_status"}) | {"ended": attempt.end_status or ""}
            for attempt in trial.attempts
        ],
        "put_aside": [{"place": folder} | note.model_dump() for folder, note in trial.archived],
    }


def print_trial(trial: TrialSummary) -> None:
    """Print everything about a trial: its facts, its attempts and its error."""
    out.print_lines(f"[bold]{trial.id}[/bold] {escape_rich(trial.label)}")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _facts(trial):
        if text:
            table.add_row(name, escape_rich(text))
    out.print(table)
    if trial.attempts:
        out.print_table(_attempts_table(trial))
    if trial.error:
        out.print_lines(f"[red]error[/red] {escape_rich(trial.error)}")
        out.print_lines(f"[green]→[/green] `harness logs {trial.id}` shows its traceback.")


def _facts(trial: TrialSummary) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of what is known about a trial; an empty text is not shown."""
    spec, run = trial.spec, trial.run
    yield "state", f"{trial.status_text}: {trial.status.description}"
    yield "note", trial.note
    yield "experiments", ", ".join(trial.experiments) or "none; only its folder is left"
    if spec is not None:
        for name, part in (("variant", spec.variant), ("data", spec.split_data), ("recipe", spec.recipe)):
            yield name, _format_fields(part.identity())
        yield "seed", spec.describe_seeds()
    if trial.last_change:
        epochs = f"{format_value(trial.epoch, '?')} of {format_value(trial.epochs, '?')}"
        yield "epoch", f"{epochs}, {format_time(trial.last_change)} ({format_age(trial.last_change)} ago)"
    yield "checkpoints", str(trial.folder)
    if run is not None and run.run_id:
        yield "MLflow run", f"{run.run_id} ({run.run_status})"
    for folder, note in trial.archived:
        yield "archived", f"{folder} ({note.reason or 'no reason was given'})"
    if trial.unfinished_rerun is not None:
        yield "rerun", f"stopped at epoch {trial.unfinished_rerun.last_epoch}; harness rerun {trial.id} resumes it"
    if trial.history is not None:
        yield from _history_facts(trial.history)


def _history_facts(history: History) -> Iterator[tuple[str, str]]:
    yield "costs", _format_fields({key.removeprefix("cost/"): value for key, value in history.costs.items()})
    if history.epochs:
        metrics = history.epochs[-1].metrics
        yield "metrics", _format_fields({k: "not finite" if v is None else f"{v:.6g}" for k, v in metrics.items()})
    provenance = history.provenance
    yield "trained on", _format_fields({key: provenance[key] for key in TRAINED_ON if key in provenance})


def _attempts_table(trial: TrialSummary) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("attempt", "process", "started", "from", "ended", "notes"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "notes")
    for attempt in trial.attempts:
        step = f", step {attempt.step}" if attempt.step else ""
        is_running = attempt is trial.last_attempt and trial.status == TrialStatus.RUNNING
        without_end = trial.status_text if is_running else "process is gone"
        table.add_row(
            str(attempt.number),
            escape_rich(attempt.process),
            format_time(attempt.started),
            f"epoch {attempt.epoch}{step}",
            escape_rich(attempt.end_status or without_end),
            escape_rich("; ".join(attempt.notes)),
        )
    return table


def _format_fields(fields: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} {json.dumps(value) if isinstance(value, dict) else value}" for name, value in fields.items()
    )
