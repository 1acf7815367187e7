"""The commands on what is around: the UI, the machine, the schemas of the files."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from harness.cli.options import HOME, DataRoot, Home, Json, TrackingUri, out
from harness.errors import EXIT_USER
from harness.text import escape_rich

app = typer.Typer()


@app.command()
def ui(
    experiment: Annotated[
        str | None, typer.Argument(help="Open at this experiment; needless where there is only one.")
    ] = None,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    port: Annotated[int, typer.Option("--port", help="On loopback only.", min=1, max=65535)] = 5000,
) -> None:
    """Serve the MLflow UI on the right store, on loopback, until Ctrl-C.

    Open the address that it prints: charts that compare the experiment's variants, with its question and verdict on
    top. docs/mlflow.md shows what to look for.
    """
    from harness.tracking.mlflow_record.ui import serve

    raise typer.Exit(serve(tracking_uri, home, experiment, port, out))


@app.command()
def doctor(
    tracking_uri: TrackingUri = None, home: Home = HOME, data_root: DataRoot = None, as_json: Json = False
) -> None:
    """What is installed, which devices, which store, which data sets are at hand. Exit 2 where something is broken."""
    from harness.api.doctor import examine

    findings = examine(tracking_uri, home, data_root)
    if as_json:
        typer.echo(json.dumps([finding.__dict__ for finding in findings], indent=2))
    else:
        marks = {"ok": "[green]ok[/green]", "absent": "[yellow]absent[/yellow]", "broken": "[red]broken[/red]"}
        table = Table("", "what", "found", box=None, header_style="bold")
        for finding in findings:
            table.add_row(marks[finding.state], finding.what, escape_rich(finding.found))
        out.print(table)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(EXIT_USER)


class SchemaKind(StrEnum):
    """Kinds of YAML file."""

    experiment = "experiment"
    family = "family"


@app.command()
def schema(
    kind: Annotated[SchemaKind, typer.Argument(help="Of experiments/ or variants/.")] = SchemaKind.experiment,
) -> None:
    """Print the JSON Schema of a YAML file, for editors to complete and check it.

    Example: harness schema > experiment.schema.json, and in the YAML's first line
    # yaml-language-server: $schema=experiment.schema.json
    """
    from pydantic import TypeAdapter

    from harness.specs.catalogue.families import ExternalFamily, Family
    from harness.specs.experiment.experiment import Experiment

    model: Any = Experiment if kind is SchemaKind.experiment else Family | ExternalFamily
    typer.echo(json.dumps(TypeAdapter(model).json_schema(), indent=2))
