"""What Ray says of a cluster's file, each with its line; and the keys of a provider that Ray reads or ignores."""

from __future__ import annotations

import copy
import ipaddress
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.clusters.check.cluster_file import ClusterFile
from harness.errors import HarnessError, suggest_nearest

COMMON = {"type", "disable_launch_config_check", "disable_node_updaters", "foreground_node_launch"}
PROVIDER_KEYS = {
    "aws": COMMON
    | {"region", "availability_zone", "cache_stopped_nodes", "use_internal_ips", "use_external_head_ip"}
    | {"security_group", "key_pair", "aws_credentials", "cloudwatch"},
    "local": COMMON | {"head_ip", "worker_ips", "external_head_ip", "coordinator_address", "use_internal_ips"},
}
"""What Ray's providers read; anything else is ignored without a word, as of Ray 2.60."""


def check_schema(sheet: ClusterFile) -> None:
    """Note what Ray's own validation refuses, and provider keys that it lets pass.

    Raises:
        HarnessError: Ray's launcher is not installed.
    """
    _schema(sheet)
    of_the_right_kinds = not sheet.findings
    known = PROVIDER_KEYS.get(sheet.provider)
    if known is None:
        if sheet.provider:
            sheet.warning(
                ("provider", "type"),
                f"of provider '{sheet.provider}' nothing is checked beyond what Ray itself checks, and the commands",
            )
        return
    for key in sheet.get(dict, "provider"):
        if key not in known:
            sheet.error(
                ("provider", str(key)), f"Ray ignores '{key}' of provider {sheet.provider}", suggest_nearest(key, known)
            )
    if sheet.provider == "local":
        _machines(sheet)
    elif of_the_right_kinds:
        _between(sheet)


def _schema(sheet: ClusterFile) -> None:
    found = find_spec("ray")
    if found is None or found.origin is None or find_spec("jsonschema") is None:
        raise HarnessError("Ray's launcher is not installed", remedy="Install depthbench[cluster].")
    import jsonschema

    schema = json.loads((Path(found.origin).parent / "autoscaler" / "ray-schema.json").read_text())
    data = copy.deepcopy(sheet.document.data)
    if sheet.provider == "local":
        # Ray moves these into a type of node before it validates.
        data.pop("min_workers", None)
    for name, kind in sheet.get(dict, "available_node_types").items():
        if isinstance(kind, dict):
            # Ray asks the cloud for them.
            data["available_node_types"][name].setdefault("resources", {})
    for error in sorted(jsonschema.Draft7Validator(schema).iter_errors(data), key=str):
        at = tuple(error.absolute_path)
        if error.validator == "additionalProperties" and isinstance(error.schema, dict):
            known = error.schema.get("properties", {})
            for key in set(error.instance) - set(known):
                sheet.error((*at, str(key)), f"Ray knows no field '{key}' here", suggest_nearest(str(key), known))
        elif error.validator == "required":
            missing = next(name for name in error.validator_value if f"'{name}'" in error.message)
            sheet.error(at, f"the field '{missing}' is missing", "Add it; the shipped cluster.yaml has it.")
        else:
            sheet.error(at, f"Ray refuses this: {error.message[:200]}")


def _between(sheet: ClusterFile) -> None:
    """What holds between fields, as Ray's own code has it."""
    types = sheet.get(dict, "available_node_types")
    if not types:
        sheet.error((), "available_node_types is missing: Ray would start its own example", "Start from cluster.yaml.")
        return
    if sheet.head_type not in types:
        sheet.error(
            ("head_node_type",),
            f"'{sheet.head_type}' is no type of node of this file" if sheet.head_type else "head_node_type is missing",
            suggest_nearest(sheet.head_type, types),
        )
    least = sum(sheet.get(int, "available_node_types", name, "min_workers") for name in types)
    most = sheet.get(int, "max_workers")
    if not sheet.given("max_workers"):
        sheet.warning((), "max_workers is missing: Ray starts two at most", "Write the bill's ceiling.")
    elif least > most:
        sheet.error(("max_workers",), f"max_workers is {most}, and the types of nodes want {least} at least")
    for name in types:
        low, high = (sheet.get(int, "available_node_types", name, key) for key in ("min_workers", "max_workers"))
        if sheet.given("available_node_types", name, "max_workers") and low > high:
            sheet.error(("available_node_types", name, "min_workers"), f"min_workers is {low}, max_workers {high}")


def _machines(sheet: ClusterFile) -> None:
    if sheet.given("provider", "coordinator_address"):
        return
    workers: list[Any] = sheet.get(list, "provider", "worker_ips")
    head = sheet.get(str, "provider", "head_ip")
    for key in ("head_ip", "worker_ips"):
        if not sheet.given("provider", key):
            sheet.error(("provider",), f"{key} is missing", "Write the addresses of the machines.")
    if _is_public(head):
        sheet.warning(
            ("provider", "head_ip"),
            f"{head} is a public address: where the machine has it itself, MLflow listens on it and asks nobody for a "
            "password",
            "Give the private address of the machine, here and to `mlflow server --host`.",
        )
    for number, address in enumerate(workers):
        if address == head or address in workers[:number]:
            sheet.error(("provider", "worker_ips", number), f"{address} is here twice", "A machine has one part.")
    for key in ("min_workers", "max_workers"):
        if sheet.given(key) and sheet.get(int, key) != len(workers):
            sheet.warning(
                (key,),
                f"{key} is {sheet.get(int, key)}, and there are {len(workers)} workers",
                "Machines beyond it are not started, and none is started again." if key == "max_workers" else "",
            )


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        # A name.
        return False
