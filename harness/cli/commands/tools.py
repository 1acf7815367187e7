"""The commands on the surroundings of experiments: ui, doctor, schema."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import out, print_json
from harness.cli.parameters import Json, with_options
from harness.errors import EXIT_USER
from harness.settings import Settings
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api.doctor import Finding

app = typer.Typer()
FINDING_COLOURS = {"ok": "green", "absent": "yellow", "broken": "red"}
"""The colour of each state of a finding of `harness doctor`."""


@app.command()
@with_options(Settings, "tracking_uri", "home")
def ui(
    settings: Settings,
    experiment: Annotated[
        str | None, typer.Argument(help="The experiment to open; not needed if only one is recorded.")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="The port, on loopback only.", min=1, max=65535)] = 5000,
) -> None:
    """Serve the MLflow UI of the store on loopback, until Ctrl-C.

    Open the address that it prints. It shows charts that compare the variants of the experiment, with its question and
    verdict on top. docs/mlflow.md describes what they show.

    Example: harness ui quickstart
    """
    from harness.tracking.mlflow_record.ui import serve_ui

    raise typer.Exit(serve_ui(settings.tracking_uri, settings.home, experiment, port, out))


@app.command()
@with_options(Settings, "tracking_uri", "home", "data_root")
def doctor(settings: Settings, as_json: Json = False) -> None:
    """Check this machine: installed packages, devices, the store and the data sets. Exit code 2: something is broken.

    Example: harness doctor --data-root photos
    """
    from harness.api.doctor import examine

    findings = examine(settings.tracking_uri, settings.home, settings.data_root)
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        _print_findings(findings)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(EXIT_USER)


def _print_findings(findings: Iterable[Finding]) -> None:
    """Print a table with a row for each finding."""
    from rich.table import Table

    table = Table("", "what", "found", box=None, header_style="bold")
    for finding in findings:
        colour = FINDING_COLOURS[finding.state]
        table.add_row(f"[{colour}]{finding.state}[/{colour}]", finding.what, escape_rich(finding.found))
    out.print_table(table)


class SchemaKind(StrEnum):
    """The kinds of YAML file that have a schema."""

    experiment = "experiment"
    family = "family"


@app.command()
def schema(
    kind: Annotated[
        SchemaKind, typer.Argument(help="experiment: the files in experiments/. family: the files in variants/.")
    ] = SchemaKind.experiment,
) -> None:
    """Print the JSON Schema of a YAML file, with which editors complete and check it.

    Then write in the first line of the YAML file: # yaml-language-server: $schema=experiment.schema.json

    Example: harness schema > experiment.schema.json
    """
    from pydantic import TypeAdapter

    from harness.specs.catalogue.families import ExternalFamily, Family
    from harness.specs.experiment.experiment import Experiment

    model: Any = Experiment if kind is SchemaKind.experiment else Family | ExternalFamily
    print_json(TypeAdapter(model).json_schema())
