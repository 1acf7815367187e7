"""The commands on what is recorded, thin: report, diff."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from harness.cli.options import HOME, REPORTS, Home, Json, Reports, TrackingUri, out
from harness.cli.commands.run import write_report
from harness.errors import EXIT_FAILED, HarnessError
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.reporting.compare.diff import Diff

app = typer.Typer()
RESULTS = "An experiment's name in the record, or a results.csv."


@app.command()
def report(
    experiments: Annotated[list[str] | None, typer.Argument(help=RESULTS, metavar="[EXPERIMENT]...")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the one report over several experiments: <reports>/<name>/.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every report in --reports again, from its own files, and an index of them.")
    ] = False,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    reports: Reports = REPORTS,
) -> None:
    """Write Markdown reports again from what is recorded; trains nothing.

    One experiment: its report. Several, with --name: one report over all of them, which keeps their results beside
    itself. --all: every report that there is, without any store; measured costs are left as they are.

    Example: harness report quickstart resnet-family --name comparison
    """
    from harness import api

    settings = api.Settings(home, tracking_uri, reports=reports)
    names = experiments or []
    if every:
        if names or name is not None:
            raise HarnessError(
                "--all takes every report that there is", where="--all", remedy="Leave the names and --name out."
            )
        with out.status("Writing the reports ..."):
            pages = api.report_all(settings)
        for page in pages:
            out.print(f"Report: {escape_rich(page)}", soft_wrap=True)
    elif not names:
        raise HarnessError("no experiment is named", where="report", remedy="harness report NAME, or --all.")
    elif len(names) == 1:
        if name is not None:
            raise HarnessError(
                "the report of one experiment is called as the experiment is",
                where="--name",
                remedy="Leave it out, or name another experiment.",
            )
        write_report(names[0], settings)
    elif name is None:
        raise HarnessError(
            f"a report over {len(names)} experiments needs a name",
            where="--name",
            remedy="Such as --name comparison; or write their reports one by one.",
        )
    else:
        with out.status("Writing the report ..."):
            page = api.combine(names, name, settings)
        out.print(f"Report: {escape_rich(page)}", soft_wrap=True)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help=RESULTS, metavar="OLD")],
    new: Annotated[str, typer.Argument(help="The same.", metavar="NEW")],
    level: Annotated[float, typer.Option("--level", help="Of the tests, after Holm's correction over them.")] = 0.05,
    smallest: Annotated[
        float, typer.Option("--smallest", help="Percentage points below which a changed error is none.")
    ] = 0.5,
    smallest_time: Annotated[
        float, typer.Option("--smallest-time", help="Percent below which a changed time is none.")
    ] = 5.0,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", help="Error to compare: train/error_clean ... May be repeated. Default: test/error."),
    ] = None,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Say which variants changed beyond noise in error or time, from OLD to NEW; a gate for CI.

    Variants are matched by name, trials by seed. Exit code 0: no regression was found; 1: an error rose or a time grew
    beyond noise; 2: they cannot be read or compared. Below 8 seeds nothing is tested, and it says so. Times are
    compared only at equal hardware, software and settings, of trials that shared no device.

    Example: harness diff baseline/results.csv reports/quickstart/results.csv
    """
    from harness import api
    from harness.reporting.compare.diff_as_text import describe_diff

    settings = api.Settings(home, tracking_uri)
    found = api.diff(old, new, settings, level, smallest, smallest_time, metrics or ("test/error",))
    if as_json:
        content = {"regression": found.regression, **asdict(found)}
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
    else:
        _print(found)
        for line in describe_diff(found):
            out.print(line, markup=False, soft_wrap=True)
    if found.regression:
        raise typer.Exit(EXIT_FAILED)


def _print(found: Diff) -> None:
    from harness.reporting.compare.diff_as_text import HEADINGS, format_change_cells

    table = Table(box=None, header_style="bold")
    for index, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if index < 2 or index == len(HEADINGS) - 1 else "right")
    for change in found.changes:
        table.add_row(*map(escape_rich, format_change_cells(change)))
    out.print(table)
