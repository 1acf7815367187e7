"""What only AWS would say of a cluster's file, said offline: botocore brings the model of its interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from harness.clusters.check.cluster_file import ClusterFile
from harness.errors import HarnessError, suggest_nearest
from harness.io.yaml_parser import Location
from harness.launchers.resources import ACCELERATOR_PREFIX

GPU = re.compile(r"(p[2-9]|g(?!4ad)[3-9]|gr[6-9])[a-z0-9-]*\.")
"""Types of instances with NVIDIA's devices; g4ad has AMD's."""
KINDS = {
    "g4dn": "T4", "g5": "A10G", "g5g": "T4G", "g6": "L4", "g6e": "L40S", "gr6": "L4",
    "p3": "V100", "p3dn": "V100", "p4d": "A100", "p5": "H100", "p5e": "H200", "p5en": "H200",
}  # fmt: skip
"""What Ray calls the GPUs of a family, as in `accelerator_type:L4`."""
SIZE = re.compile(r"[a-z0-9-]+\.(\d*)xlarge")
OPEN = {"0.0.0.0/0", "::/0"}
SSH = 22
TYPES = {"string": str, "integer": int, "long": int, "boolean": bool, "list": list, "map": dict, "structure": dict}
RAYS_OWN = {"SubnetIds"}
"""Of node_config: taken out by Ray before the instance is asked for."""


def check_aws_rules(sheet: ClusterFile) -> None:
    """Note what RunInstances would refuse, missing images, keys, GPUs and roles, and open ports.

    Raises:
        HarnessError: botocore is not installed.
    """
    ec2 = _model()
    instance = ec2.operation_model("RunInstances").input_shape
    types = sheet.get(dict, "available_node_types")
    for name in types:
        at: Location = ("available_node_types", name, "node_config")
        config = {key: value for key, value in sheet.get(dict, *at).items() if key not in RAYS_OWN}
        for place, what, remedy in _against(instance, config, at):
            sheet.error(place, what, remedy)
        if "LaunchTemplate" not in config:
            _image(sheet, config, at)
        if config.get("SecurityGroupIds"):
            sheet.warning((*at, "SecurityGroupIds"), "what these groups open is not seen from here")
    _key(sheet)
    _ports(sheet, ec2)
    _gpus(sheet)
    _roles(sheet)
    _place(sheet)
    if sheet.get(dict, "provider").get("cache_stopped_nodes", True) is not False:
        sheet.error(
            ("provider", "cache_stopped_nodes"),
            "instances that are given back are stopped, not terminated: their disks cost on, and old state comes back",
            "Write `cache_stopped_nodes: false`.",
        )


@cache
def _model() -> Any:
    try:
        from botocore.session import Session
    except ImportError as error:
        raise HarnessError("boto3 is not installed", remedy="Install depthbench[cluster].") from error
    return Session().get_service_model("ec2")


def _against(shape: Any, value: Any, at: Location) -> Iterator[tuple[Location, str, str]]:
    """(place, what, remedy) of all in ``value`` that is not of ``shape``, botocore's model of it."""
    kind = TYPES.get(shape.type_name)
    if kind and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        yield at, f"{str(value)[:60]!r} is not what AWS takes here: {shape.type_name}", ""
    elif shape.type_name == "structure":
        for key, inside in value.items():
            if key in shape.members:
                yield from _against(shape.members[key], inside, (*at, key))
            else:
                yield (*at, key), f"AWS knows no '{key}' here", suggest_nearest(str(key), shape.members)
    elif shape.type_name == "list":
        for number, inside in enumerate(value):
            yield from _against(shape.member, inside, (*at, number))
    elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        remedy = (
            suggest_nearest(value, shape.enum) if len(shape.enum) < 50 else suggest_nearest(value, shape.enum).partition("Known")[0]
        )
        yield at, f"AWS knows no {shape.name} '{value}'", f"{remedy} Of a newer one only a newer boto3 knows.".strip()


def _image(sheet: ClusterFile, config: dict[str, Any], at: Location) -> None:
    if not config.get("InstanceType"):
        sheet.error(at, "InstanceType is missing", "Write the type of instance, such as g6.2xlarge.")
    image = str(config.get("ImageId", ""))
    if not image or image.lower() == "latest_dlami":
        sheet.error(
            (*at, "ImageId"),
            "ImageId is missing: Ray takes an Ubuntu 18.04 of years ago, whose driver is too old for today's torch",
            "Write an image of your region with the NVIDIA driver, or resolve:ssm:... as in the shipped cluster.yaml.",
        )
    elif not image.startswith("resolve:ssm:/") and not re.fullmatch(r"ami-[0-9a-f]{8}([0-9a-f]{9})?", image):
        sheet.error((*at, "ImageId"), f"'{image}' is no image", "Write ami-..., or resolve:ssm:/... .")


def _key(sheet: ClusterFile) -> None:
    own = sheet.get(str, "auth", "ssh_private_key")
    if own and not Path(own).expanduser().is_file():
        sheet.error(("auth", "ssh_private_key"), f"there is no {own} here", "Write the path of the key pair's file.")
    for name in sheet.get(dict, "available_node_types"):
        at = ("available_node_types", name, "node_config")
        config = sheet.get(dict, *at)
        if own and not {"KeyName", "UserData", "LaunchTemplate"} & set(config):
            sheet.error(at, "KeyName is missing: nobody could log in", "Name the pair of auth.ssh_private_key.")
        if not own and "KeyName" in config:
            sheet.error(
                (*at, "KeyName"),
                f"the private half of '{config['KeyName']}' is not named",
                "Write it as auth.ssh_private_key; or remove KeyName, and Ray makes a pair.",
            )


def _ports(sheet: ClusterFile, ec2: Any) -> None:
    at: Location = ("provider", "security_group", "IpPermissions")
    shape = ec2.operation_model("AuthorizeSecurityGroupIngress").input_shape.members["IpPermissions"]
    rules = sheet.get(list, *at)
    for place, what, remedy in _against(shape, rules, at):
        sheet.error(place, what, remedy)
    for number, rule in enumerate(rules):
        if not isinstance(rule, dict):
            continue
        ranges = [*(rule.get("IpRanges") or []), *(rule.get("Ipv6Ranges") or [])]
        sources = {str(value) for entry in ranges if isinstance(entry, dict) for value in entry.values()}
        first, last = rule.get("FromPort"), rule.get("ToPort")
        if sources & OPEN and not (first == last == SSH and rule.get("IpProtocol") == "tcp"):
            every = first is None or rule.get("IpProtocol") in ("-1", -1)
            ports = "every port" if every else f"port {first}" if first == last else f"ports {first} to {last}"
            sheet.error(
                (*at, number),
                f"{ports} open to the world",
                "Only ssh (22) may be: MLflow and Ray's dashboard are reached through its tunnel.",
            )


def _gpus(sheet: ClusterFile) -> None:
    types = sheet.get(dict, "available_node_types")
    workers = [name for name in types if name != sheet.head_type]
    found = []
    for name in workers:
        at = ("available_node_types", name)
        kind = sheet.get(str, *at, "node_config", "InstanceType")
        promised = sheet.get(dict, *at, "resources").get("GPU", 0)
        if promised and kind and not GPU.match(kind):
            sheet.error((*at, "resources"), f"{kind} has no NVIDIA GPU, and {promised} are promised here")
        if GPU.match(kind):
            _promises(sheet, at, kind)
        if GPU.match(kind) or (not kind and sheet.given(*at, "node_config", "LaunchTemplate")):
            found.append(name)
    if workers and not found and sheet.has_workers:
        sheet.error(
            ("available_node_types",),
            "no type of worker has a GPU",
            "Add one, such as InstanceType: g6.2xlarge (one L4); g4ad has AMD's.",
        )


def _promises(sheet: ClusterFile, at: Location, kind: str) -> None:
    """A type of instance with GPUs against what the file says that it holds."""
    resources = sheet.get(dict, *at, "resources")
    family, size, cpus = kind.partition(".")[0], SIZE.fullmatch(kind), resources.get("CPU", 0)
    # So it is in all of these families.
    has = 4 * int(size[1] or 1) if size else None
    if has is not None and isinstance(cpus, int | float) and cpus > has:
        sheet.error(
            (*at, "resources"),
            f"{kind} has {has} cores, and {cpus} are promised here: trials would share them",
            f"Write CPU: {has}.",
        )
    theirs = KINDS.get(family)
    for name in resources:
        if name.startswith(ACCELERATOR_PREFIX) and theirs and name != ACCELERATOR_PREFIX + theirs:
            sheet.error(
                (*at, "resources"),
                f"{kind} has GPUs of the kind {theirs}, not {name.removeprefix(ACCELERATOR_PREFIX)}",
                f'Write "{ACCELERATOR_PREFIX}{theirs}": 1.',
            )


def _roles(sheet: ClusterFile) -> None:
    types = sheet.get(dict, "available_node_types")
    profiles = {name: sheet.get(dict, "available_node_types", name, "node_config") for name in types}
    workers = [name for name in types if name != sheet.head_type]
    if sheet.head_type in types and "IamInstanceProfile" not in profiles[sheet.head_type]:
        for name in workers:
            if "IamInstanceProfile" in profiles[name] or "resolve:ssm" in str(profiles[name].get("ImageId", "")):
                sheet.warning(
                    ("available_node_types", sheet.head_type, "node_config"),
                    f"the role that Ray makes for the head may neither hand '{name}' a role nor read resolve:ssm",
                    "Give the head an IamInstanceProfile that may; `harness cluster roles` makes one.",
                )


def _place(sheet: ClusterFile) -> None:
    region = sheet.get(str, "provider", "region")
    if not region:
        sheet.error(("provider",), "the field 'region' is missing", "Write it, such as region: us-east-1.")
    for zone in sheet.get(str, "provider", "availability_zone").split(","):
        if region and zone.strip() and not zone.strip().startswith(region):
            sheet.error(("provider", "availability_zone"), f"{zone.strip()} is not in {region}")
