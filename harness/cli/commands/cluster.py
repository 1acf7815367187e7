"""The commands on the files of clusters: cluster check, cluster roles."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import err, print_json, print_problem, print_text
from harness.cli.parameters import Json
from harness.errors import EXIT_USER

app = typer.Typer(help="The YAML files of clusters: cluster.yaml, cluster-local.yaml.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A YAML file of Ray's cluster launcher.", metavar="FILE")],
    as_json: Json = False,
) -> None:
    """Find errors in a cluster's YAML file before `ray up` pays for it. Needs no network and no credentials.

    It finds what Ray's own validation accepts: misspelt keys of the provider, values that AWS would refuse, a missing
    image or key, ports open to the world, versions other than those here, no GPU, an MLflow server that workers cannot
    reach, and checkpoints that are deleted with their node. It does not check permissions, quotas, or whether an image
    exists. Exit code 2: there is an error.

    Example: harness cluster check cluster.yaml
    """
    from harness.clusters.check.cluster_check import check_cluster_file

    findings = check_cluster_file(file)
    errors = [finding for finding in findings if finding.error]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print_problem("error" if finding.error else "note", finding.where, finding.what, finding.remedy)
    if errors:
        print_text(f"{len(errors)} error{'s' if len(errors) > 1 else ''} in {file}", err)
        raise typer.Exit(EXIT_USER)
    if not as_json:
        print_text(f"{file} is fine.")


@app.command()
def roles(
    bucket: Annotated[
        str, typer.Argument(help="The bucket for checkpoints: s3://BUCKET in cluster.yaml.", metavar="BUCKET")
    ],
    region: Annotated[str, typer.Option("--region", help="The region in cluster.yaml.")] = "us-east-1",
) -> None:
    """Create the bucket and the two roles that cluster.yaml names, in your AWS account.

    The head may start and terminate instances, and give workers their role. Both may read and write the bucket. A
    second call changes nothing.

    Example: harness cluster roles my-bucket --region us-east-1
    """
    from harness.clusters.aws_roles import create_aws_roles

    for line in create_aws_roles(bucket, region):
        print_text(line)
