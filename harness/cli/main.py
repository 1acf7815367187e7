"""The command line: its commands, and how it ends on errors and signals."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer

from harness.version import __version__
from harness.cli.commands import benchmark, cluster, data, evaluation, cluster_jobs, plan, reports, run, tools, trials, variants
from harness.cli.options import err
from harness.errors import EXIT_USER, HarnessError, Interrupted
from harness.text import escape_rich

app = typer.Typer(
    name="harness",
    help="Does depth, or this change of architecture, help here, and what does it cost?\n\n"
    "Start with: harness run quickstart. Then: harness ui.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
# In the order in which the help lists them.
for part in (run, plan, cluster_jobs, reports, trials, variants, benchmark, evaluation, tools):
    app.registered_commands += part.app.registered_commands
app.add_typer(data.app, name="data")
app.add_typer(cluster.app, name="cluster")


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
    err.print(f"[yellow]note[/yellow] {escape_rich(message)}", soft_wrap=True)


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
        where = f" {escape_rich(error.where)}" if error.where else ""
        err.print(f"[red bold]error[/red bold]{where}", soft_wrap=True)
        err.print(f"  {escape_rich(error.what)}", soft_wrap=True)
        if error.remedy:
            err.print(f"  [green]→[/green] {escape_rich(error.remedy)}", soft_wrap=True)
        sys.exit(EXIT_USER)
    except Interrupted as interrupt:
        err.print(interrupt.kept)
        sys.stdout.flush()
        sys.stderr.flush()
        # Threads of an outbox may still be waiting for a store.
        os._exit(interrupt.exit_code)
