"""The two consoles on which the commands print, and the forms that several commands print in."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from harness.cli.terminal import TerminalConsole
from harness.errors import HarnessError
from harness.text import escape_rich

out = TerminalConsole()
err = TerminalConsole(stderr=True)


def print_text(text: object, console: TerminalConsole = out) -> None:
    """Print text as it is, without markup."""
    console.print_lines(escape_rich(text))


def print_note(text: object, console: TerminalConsole = err) -> None:
    """Print something that the user should know."""
    console.print_lines(f"[yellow]note[/yellow] {escape_rich(text)}")


def print_failure(label: str, text: str, word: str = "failed") -> None:
    """Print that something failed, and why."""
    err.print_lines(f"[red]{word}[/red]  {escape_rich(label)}: {escape_rich(text)}")


def print_problem(kind: str, where: str, what: str, remedy: str) -> None:
    """Print an error or a note as three parts: where it is, what is wrong, and what to do.

    Args:
        kind: ``error`` or ``note``.
    """
    style = "red bold" if kind == "error" else "yellow"
    place = f" {escape_rich(where)}" if where else ""
    err.print_lines(f"[{style}]{kind}[/{style}]{place}")
    err.print_lines(f"  {escape_rich(what)}")
    if remedy:
        err.print_lines(f"  [green]→[/green] {escape_rich(remedy)}")


def print_error(error: HarnessError) -> None:
    """Print an error that the user can correct, without a traceback."""
    print_problem("error", error.where, error.what, error.remedy)


def print_json(value: Any, indent: int | None = 2) -> None:
    """Print a value as JSON in ASCII, without the line breaks and colours of a console.

    JSON has no numbers that are not finite: null takes their place.
    """
    sys.stdout.write(json.dumps(_without_infinity(value), indent=indent, allow_nan=False) + "\n")
    sys.stdout.flush()


def _without_infinity(value: Any) -> Any:
    """Return a value for JSON in which None replaces every number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_infinity(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(each) for each in value]
    return value
