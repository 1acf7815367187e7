"""Check a cluster's file by Ray's own schema, and for provider keys and numbers of nodes that Ray silently ignores."""

from __future__ import annotations

import copy
import ipaddress
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.clusters.check.cluster_file import ClusterFile
from harness.errors import HarnessError, suggest_nearest

COMMON_KEYS = {"type", "disable_launch_config_check", "disable_node_updaters", "foreground_node_launch"}
PROVIDER_KEYS = {
    "aws": COMMON_KEYS
    | {"region", "availability_zone", "cache_stopped_nodes", "use_internal_ips", "use_external_head_ip"}
    | {"security_group", "key_pair", "aws_credentials", "cloudwatch"},
    "local": COMMON_KEYS | {"head_ip", "worker_ips", "external_head_ip", "coordinator_address", "use_internal_ips"},
}
"""Keys that Ray's providers read, as of Ray 2.60; Ray ignores all others silently."""


def check_schema(cluster: ClusterFile) -> None:
    """Add a finding for everything that Ray's validation refuses, and for provider keys that Ray ignores.

    Raises:
        HarnessError: Ray's cluster launcher is not installed.
    """
    _check_ray_schema(cluster)
    is_valid = not cluster.findings
    known_keys = PROVIDER_KEYS.get(cluster.provider)
    if known_keys is None:
        if cluster.provider:
            what = f"the settings of provider '{cluster.provider}' are checked by Ray's schema only"
            cluster.add_warning(("provider", "type"), what)
        return
    for key in cluster.get_value(dict, "provider"):
        if key not in known_keys:
            what = f"Ray ignores '{key}' of provider {cluster.provider}"
            cluster.add_error(("provider", str(key)), what, suggest_nearest(key, known_keys))
    if cluster.provider == "local":
        _check_machines(cluster)
    elif is_valid:
        _check_node_types(cluster)


def _check_ray_schema(cluster: ClusterFile) -> None:
    """Add an error for everything that Ray's JSON schema refuses."""
    ray = find_spec("ray")
    if ray is None or ray.origin is None or find_spec("jsonschema") is None:
        raise HarnessError("Ray's cluster launcher is not installed", remedy="Install depthbench[cluster].")
    import jsonschema

    schema = json.loads((Path(ray.origin).parent / "autoscaler" / "ray-schema.json").read_text())
    data = copy.deepcopy(cluster.document.data)
    if cluster.provider == "local":
        # Ray moves this field into a type of node before it validates.
        data.pop("min_workers", None)
    for name, node_type in cluster.get_value(dict, "available_node_types").items():
        if isinstance(node_type, dict):
            # Ray looks up missing resources in the cloud.
            data["available_node_types"][name].setdefault("resources", {})
    for error in sorted(jsonschema.Draft7Validator(schema).iter_errors(data), key=str):
        location = tuple(error.absolute_path)
        if error.validator == "additionalProperties" and isinstance(error.schema, dict):
            known = error.schema.get("properties", {})
            for key in set(error.instance) - set(known):
                what = f"Ray has no field '{key}' here"
                cluster.add_error((*location, str(key)), what, suggest_nearest(str(key), known))
        elif error.validator == "required":
            missing = next(name for name in error.validator_value if f"'{name}'" in error.message)
            cluster.add_error(location, f"the field '{missing}' is missing", "Add it, as in the shipped cluster.yaml.")
        else:
            cluster.add_error(location, f"Ray refuses this: {error.message[:200]}")


def _check_node_types(cluster: ClusterFile) -> None:
    """Check the head's type of node, and that the numbers of workers agree."""
    types = cluster.get_value(dict, "available_node_types")
    if not types:
        what = "available_node_types is missing, and Ray would start the nodes of its own example"
        cluster.add_error((), what, "Start from the shipped cluster.yaml.")
        return
    if cluster.head_type not in types:
        cluster.add_error(
            ("head_node_type",),
            f"'{cluster.head_type}' is no type of node of this file"
            if cluster.head_type
            else "head_node_type is missing",
            suggest_nearest(cluster.head_type, types),
        )
    min_workers = sum(cluster.get_value(int, "available_node_types", name, "min_workers") for name in types)
    max_workers = cluster.get_value(int, "max_workers")
    if not cluster.has_field("max_workers"):
        what = "max_workers is missing, and Ray's default is 2"
        cluster.add_warning((), what, "Write the largest number of workers that you want to pay for.")
    elif min_workers > max_workers:
        what = f"max_workers is {max_workers}, but the types of nodes need {min_workers} at least"
        cluster.add_error(("max_workers",), what, "Raise max_workers, or lower min_workers.")
    for name in types:
        location = ("available_node_types", name)
        low, high = (cluster.get_value(int, *location, key) for key in ("min_workers", "max_workers"))
        if cluster.has_field(*location, "max_workers") and low > high:
            what = f"min_workers is {low}, but max_workers is {high}"
            cluster.add_error((*location, "min_workers"), what, "Raise max_workers, or lower min_workers.")


def _check_machines(cluster: ClusterFile) -> None:
    """Check the addresses of machines that are not started by a cloud."""
    if cluster.has_field("provider", "coordinator_address"):
        return
    workers: list[Any] = cluster.get_value(list, "provider", "worker_ips")
    head = cluster.get_value(str, "provider", "head_ip")
    for key in ("head_ip", "worker_ips"):
        if not cluster.has_field("provider", key):
            cluster.add_error(("provider",), f"{key} is missing", "Write the addresses of the machines.")
    if _is_public(head):
        cluster.add_warning(
            ("provider", "head_ip"),
            f"{head} is a public address: MLflow may listen on it, and needs no password",
            "Use the private address of the machine, here and for `mlflow server --host`.",
        )
    for number, address in enumerate(workers):
        if address == head or address in workers[:number]:
            cluster.add_error(
                ("provider", "worker_ips", number), f"{address} is listed twice", "List each machine once."
            )
    for key in ("min_workers", "max_workers"):
        if cluster.has_field(key) and cluster.get_value(int, key) != len(workers):
            cluster.add_warning(
                (key,),
                f"{key} is {cluster.get_value(int, key)}, but there are {len(workers)} workers",
                f"Remove {key}: with a smaller number, Ray neither starts nor restarts the other machines."
                if key == "max_workers"
                else f"Remove {key}.",
            )


def _is_public(address: str) -> bool:
    """Return whether an IP address is a public one; False for a host name."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
