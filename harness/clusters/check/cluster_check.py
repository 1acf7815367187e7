"""A cluster's file checked without a network: what Ray's own validation lets pass costs money or hours."""

from __future__ import annotations

from pathlib import Path

from harness.clusters.check import aws_rules, ray_schema, start_commands, versions
from harness.clusters.check.cluster_file import ClusterFile, Finding


def check_cluster_file(file: Path) -> list[Finding]:
    """All that is wrong with a file of Ray's cluster launcher, in the order of its lines.

    Ray's own validation, keys that the provider ignores, AWS's model of an instance, ports open to the world, versions
    other than those here, the record and the checkpoints, the token, and how soon a cut is noticed. Paths of the file
    are taken from the working directory, as Ray takes them.

    Raises:
        HarnessError: It is no file, no plain YAML, or the extra ``cluster`` is not installed.
    """
    sheet = ClusterFile.of(file)
    ray_schema.check_schema(sheet)
    if sheet.provider == "aws":
        aws_rules.check_aws_rules(sheet)
    start_commands.check_start_commands(sheet)
    versions.check_versions(sheet)
    return sorted(sheet.findings)
