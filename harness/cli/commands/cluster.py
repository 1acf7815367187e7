"""The commands on the files of clusters, thin: check, roles."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Json, err, out
from harness.errors import EXIT_USER
from harness.text import escape_rich

app = typer.Typer(help="The files of clusters: cluster.yaml, cluster-local.yaml.", no_args_is_help=True)


@app.callback()
def _cluster() -> None:
    pass


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A file of Ray's cluster launcher.", metavar="FILE")],
    as_json: Json = False,
) -> None:
    """Find what is wrong with a cluster's file before `ray up` pays for it; needs no network and no credentials.

    What Ray's own validation lets pass: misspelt keys of the provider, what AWS would refuse, a missing image or key,
    ports open to the world, versions other than those here, no GPU, an MLflow that workers cannot reach, checkpoints
    that die with their node. It proves nothing about permissions, quotas, or whether an image exists.
    Exit code 2 where something has to be mended.

    Example: harness cluster check cluster.yaml
    """
    from harness.clusters.check.check import check as verb

    found = verb(file)
    errors = [finding for finding in found if finding.error]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    for finding in () if as_json else found:
        kind = "[red bold]error[/red bold]" if finding.error else "[yellow]note[/yellow]"
        err.print(f"{kind} {escape_rich(finding.where)}", soft_wrap=True)
        err.print(f"  {escape_rich(finding.what)}", soft_wrap=True)
        if finding.remedy:
            err.print(f"  [green]→[/green] {escape_rich(finding.remedy)}", soft_wrap=True)
    if errors:
        err.print(f"{len(errors)} to mend in {escape_rich(file)}")
        raise typer.Exit(EXIT_USER)
    if not as_json:
        out.print(f"{escape_rich(file)} is fine.")


@app.command()
def roles(
    bucket: Annotated[str, typer.Argument(help="For checkpoints: s3://BUCKET in cluster.yaml.", metavar="BUCKET")],
    region: Annotated[str, typer.Option("--region", help="As in cluster.yaml.")] = "us-east-1",
) -> None:
    """Make, in your AWS account, the bucket and the two roles that cluster.yaml names. Once; again changes nothing.

    The head may start and terminate instances and hand workers their role; both may read and write the bucket.

    Example: harness cluster roles my-bucket --region us-east-1
    """
    from harness.clusters.aws_roles import create_aws_roles

    for made in create_aws_roles(bucket, region):
        out.print(escape_rich(made))
