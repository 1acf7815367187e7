"""The `harness` command: all its subcommands, and how it ends after errors and signals."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer

from harness.cli.commands import (
    benchmark,
    cluster,
    cluster_jobs,
    data,
    evaluation,
    plan,
    reports,
    run,
    tools,
    trials,
    variants,
)
from harness.cli.console import err, print_error, print_note
from harness.cli.output_streams import final_exit_code, protect_streams
from harness.cli.terminal import correct_columns
from harness.errors import EXIT_USER, HarnessError, Interrupted
from harness.version import __version__

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a command: Ctrl-C, SIGTERM, and SIGHUP, which a process gets when its terminal is closed."""
EXIT_CODES = "\n\n".join(
    (
        "Exit codes:",
        "0    done",
        "1    a trial failed, a run is not complete, or diff found a regression",
        "2    you can correct the cause, another process holds the lock, or standard output could not be written",
        "3    a time limit ended the run",
        "129, 130, 143    a closed terminal, Ctrl-C or SIGTERM ended the command",
        "141    the reader of a pipe, such as head, ended before the command",
    )
)

app = typer.Typer(
    name="harness",
    help="Does depth, or this change of architecture, help here, and what does it cost?\n\n"
    "Start with: harness run quickstart. Then: harness ui.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=EXIT_CODES,
)
# The help lists the commands in this order.
for group in (run, plan, cluster_jobs, reports, trials, variants, benchmark, evaluation, tools):
    app.registered_commands += group.app.registered_commands
app.add_typer(data.app, name="data")
app.add_typer(cluster.app, name="cluster")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"depthbench {__version__}")
        raise typer.Exit


@app.callback()
def _common_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Declare the options that are written before a command."""


def main() -> None:
    """Run the command line. An error that the user can correct is printed without a traceback."""
    file = protect_streams()
    correct_columns()
    for number in SIGNALS:
        # nohup has SIGHUP ignored.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    # torchvision makes torch print this warning at each start.
    warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated")
    warnings.showwarning = _show_warning
    try:
        app()
    except SystemExit as ended:
        sys.exit(final_exit_code(ended.code if isinstance(ended.code, int) else 0, file))
    except HarnessError as error:
        print_error(error)
        sys.exit(final_exit_code(EXIT_USER, file))
    except Interrupted as interrupt:
        err.print_lines(interrupt.message)
        sys.stdout.flush()
        sys.stderr.flush()
        # sys.exit would wait for threads that still try to reach a store.
        os._exit(interrupt.exit_code)


def _interrupt(number: int, frame: Any) -> NoReturn:
    """Raise Interrupted at the first signal; end the process at once at the second.

    SIGHUP is never the second one: the kernel and the shell may each send one for the same closed terminal.
    """
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN if each == signal.SIGHUP else lambda second, _: os._exit(128 + second))
    raise Interrupted(number)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """Print a warning as a note for the user, without the place in the code that raised it."""
    print_note(message)
