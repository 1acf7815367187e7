"""The check of a cluster's file: all checks of this package, in one call, without a network."""

from __future__ import annotations

from pathlib import Path

from harness.clusters.check.aws_rules import check_aws_rules
from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.findings import Finding
from harness.clusters.check.ray_schema import check_schema
from harness.clusters.check.start_commands import check_start_commands
from harness.clusters.check.storage_paths import check_mounts
from harness.clusters.check.versions import check_versions


def check_cluster_file(file: Path) -> list[Finding]:
    """Return everything that is wrong with a file of Ray's cluster launcher, in the order of its lines.

    Paths in the file are relative to the working directory, as for Ray.

    Raises:
        HarnessError: The file cannot be read, is not plain YAML, or the extra ``cluster`` is not installed.
    """
    cluster = ClusterFile.read(file)
    check_schema(cluster)
    if cluster.provider == "aws":
        check_aws_rules(cluster)
    check_start_commands(cluster)
    check_mounts(cluster)
    check_versions(cluster)
    return sorted(cluster.findings)
