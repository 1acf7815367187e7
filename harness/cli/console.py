"""The two consoles on which the commands print, and the forms that several commands print in."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console

from harness.errors import HarnessError
from harness.text import escape_rich

WIDTH = None if sys.stdout.isatty() else 140
"""Columns. Without a terminal, rich would cut tables to 80."""
out = Console(highlight=False, width=WIDTH)
err = Console(stderr=True, highlight=False, width=WIDTH)


def print_text(text: object, console: Console = out) -> None:
    """Print text as it is, without markup, and without line breaks of its own."""
    console.print(escape_rich(text), soft_wrap=True)


def print_note(text: object, console: Console = err) -> None:
    """Print something that the user should know."""
    console.print(f"[yellow]note[/yellow] {escape_rich(text)}", soft_wrap=True)


def print_failure(label: str, text: str, word: str = "failed") -> None:
    """Print that something failed, and why."""
    err.print(f"[red]{word}[/red]  {escape_rich(label)}: {escape_rich(text)}", soft_wrap=True)


def print_problem(kind: str, where: str, what: str, remedy: str) -> None:
    """Print an error or a note as three parts: where it is, what is wrong, and what to do.

    Args:
        kind: ``error`` or ``note``.
    """
    style = "red bold" if kind == "error" else "yellow"
    place = f" {escape_rich(where)}" if where else ""
    err.print(f"[{style}]{kind}[/{style}]{place}", soft_wrap=True)
    err.print(f"  {escape_rich(what)}", soft_wrap=True)
    if remedy:
        err.print(f"  [green]→[/green] {escape_rich(remedy)}", soft_wrap=True)


def print_error(error: HarnessError) -> None:
    """Print an error that the user can correct, without a traceback."""
    print_problem("error", error.where, error.what, error.remedy)


def print_json(value: Any, indent: int | None = 2) -> None:
    """Print a value as JSON, without the line breaks and colours of a console."""
    typer.echo(json.dumps(value, indent=indent))
