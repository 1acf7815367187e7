"""The options of a run that concern a cluster: which of them go together, and what is sent to the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from harness.api.cluster.job_target import JobTarget
from harness.errors import HarnessError
from harness.settings import RunOptions, Settings
from harness.settings.option import options_of
from harness.specs import Resources

WAIT_SECONDS = 20 * 60.0
"""Default time to wait for the hosts of a cluster: the first host of a cloud boots and installs first."""


def find_job_target(settings: Settings, cluster: Path | None) -> JobTarget | None:
    """Return the cluster that a run is sent to; None for a run that this process does itself.

    Args:
        cluster: The cluster's YAML file, or None.
    """
    address = settings.address or ""
    if cluster is not None or address.startswith(("http://", "https://")):
        return JobTarget(cluster, address)
    return None


def check_cluster_options(settings: Settings, options: RunOptions, cluster: Path | None) -> Settings:
    """Return the settings with the default time to wait for hosts.

    Raises:
        HarnessError: Two options exclude each other.
    """
    if settings.launcher == "inline" and (settings.address is not None or cluster is not None):
        raise HarnessError(
            "the inline launcher runs on this machine alone",
            where="--cluster" if cluster is not None else "--address",
            remedy="Use --launcher ray.",
        )
    if cluster is not None and settings.address is not None:
        raise HarnessError(
            "the cluster's file already gives the address", where="--address", remedy="Leave one of the two out."
        )
    if options.download and (cluster is not None or settings.address is not None):
        # Every node would download the data by itself, and a node that starts later would do so in the middle of a run.
        raise HarnessError(
            "the nodes of a cluster do not download data sets",
            where="--download",
            remedy="Run `harness data pack NAME --download --to FILE`, with FILE in a bucket or on storage that all "
            "nodes share. Then use --data-root FILE.",
        )
    if settings.wait or not (settings.hosts or cluster is not None):
        return settings
    return replace(settings, wait=WAIT_SECONDS)


def drop_environment(settings: Settings, typed: Mapping[str, Any]) -> Settings:
    """Return the settings without values that come from this machine's environment and do not hold on a cluster.

    Args:
        typed: The values that the user typed, by field name.
    """
    options = options_of(Settings)
    defaults: dict[str, Any] = {
        field.name: field.default
        for field in fields(Settings)
        if options[field.name].is_sent and options[field.name].environment and field.name not in typed
    }
    return replace(settings, **defaults)


def count_trial_slots(cluster: Path, resources: Resources) -> int:
    """Return how many trials the hosts of a cluster's file run at once; 0 if the file does not declare it.

    Raises:
        HarnessError: No type of node has room for a trial, or Ray could not read the file.
    """
    from harness.clusters.capacity import read_capacity

    hosts = read_capacity(cluster)
    hosts.require_room_for(resources)
    return hosts.count_trials(resources) or 0
