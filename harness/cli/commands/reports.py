"""The commands on recorded results: report, diff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from harness.cli.console import out, print_json
from harness.cli.parameters import Json, with_options
from harness.errors import EXIT_FAILED, HarnessError
from harness.settings import Settings
from harness.tracking.metrics import TEST_ERROR

app = typer.Typer()
RESULTS = "The name of a recorded experiment, or the path of a results.csv."


@app.command()
@with_options(Settings, "tracking_uri", "home", "reports")
def report(
    settings: Settings,
    experiments: Annotated[list[str] | None, typer.Argument(help=RESULTS, metavar="[EXPERIMENT]...")] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The name of a report over several experiments: it goes to <reports>/<name>/."),
    ] = None,
    every_report: Annotated[
        bool, typer.Option("--all", help="Write every report in --reports again, and an index of them.")
    ] = False,
) -> None:
    """Write Markdown reports from what is recorded. Trains nothing.

    One experiment: write its report. Several, with --name: write one report over all of them, which keeps a copy of
    their results. --all: write every report in --reports from its own files, without a store; reports of
    `harness bench` stay as they are.

    Example: harness report quickstart resnet-family --name comparison
    """
    from harness import api
    from harness.cli.views.report_view import print_paths

    names = experiments or []
    _check_report_names(names, name, every_report)
    if every_report:
        with out.status("Writing the reports ..."):
            paths = api.report_all(settings)
        print_paths(paths)
    elif name is None:
        write_report(names[0], settings)
    else:
        with out.status("Writing the report ..."):
            path = api.combine(names, name, settings)
        print_paths([path])


def _check_report_names(names: Sequence[str], report_name: str | None, every_report: bool) -> None:
    """Check that the options name one report, one report over several experiments, or all reports.

    Args:
        names: The experiments.
        report_name: The name of the report over several experiments.
        every_report: Whether all reports are to be written again.

    Raises:
        HarnessError: They name none of the three, or two of them.
    """
    if every_report:
        if names or report_name is not None:
            raise HarnessError(
                "--all writes every report by itself", where="--all", remedy="Leave the names and --name out."
            )
    elif not names:
        raise HarnessError(
            "no experiment is named", where="report", remedy="Write harness report NAME, or harness report --all."
        )
    elif len(names) == 1 and report_name is not None:
        raise HarnessError(
            "the report of one experiment always has the same name as the experiment",
            where="--name",
            remedy="Leave --name out, or name a second experiment.",
        )
    elif len(names) > 1 and report_name is None:
        raise HarnessError(
            f"a report over {len(names)} experiments needs a name",
            where="--name",
            remedy="Write a name, such as --name comparison, or write the reports one by one.",
        )


def write_report(name: str, settings: Settings, show_path: bool = True) -> None:
    """Write the report of one experiment, and print its verdicts.

    Args:
        show_path: Whether to print the path of the report too.
    """
    from harness import api
    from harness.cli.views.report_view import print_report

    with out.status("Writing the report ..."):
        verdicts, path = api.report(name, settings)
    print_report(verdicts, path if show_path else None)


@app.command()
@with_options(Settings, "tracking_uri", "home")
def diff(
    settings: Settings,
    old: Annotated[str, typer.Argument(help=RESULTS, metavar="OLD")],
    new: Annotated[str, typer.Argument(help=RESULTS, metavar="NEW")],
    level: Annotated[
        float, typer.Option("--level", help="The significance level of the tests, after Holm's correction.")
    ] = 0.05,
    smallest: Annotated[
        float, typer.Option("--smallest", help="Ignore changes of an error below this many percentage points.")
    ] = 0.5,
    smallest_time: Annotated[
        float, typer.Option("--smallest-time", help="Ignore changes of a time below this many percent.")
    ] = 5.0,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", help="An error to compare, such as train/error_clean. Repeat it for more. Default: test/error."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the variants whose error or time changed beyond noise from OLD to NEW. Made for CI.

    Variants are matched by name, trials by seed. Exit code 0: there is no regression. 1: an error or a time became
    worse beyond noise. 2: the results cannot be read or compared. With fewer than 8 seeds it tests nothing, and prints
    so. Times are compared only where hardware, software and settings are equal and no trial shared its device.

    Example: harness diff baseline/results.csv reports/quickstart/results.csv
    """
    from harness import api
    from harness.cli.views.report_view import print_diff

    difference = api.diff(old, new, settings, level, smallest, smallest_time, metrics or (TEST_ERROR,))
    if as_json:
        print_json({"regression": difference.regression, **asdict(difference)})
    else:
        print_diff(difference)
    if difference.regression:
        raise typer.Exit(EXIT_FAILED)
