"""Check the AWS settings of a cluster's file without a network, by the model of AWS's API that botocore contains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.local_paths import is_local_file
from harness.errors import HarnessError, suggest_nearest
from harness.io.yaml_parser import Location
from harness.launchers.resources import ACCELERATOR_PREFIX

GPU_INSTANCE = re.compile(r"(p[2-9]|g(?!4ad)[3-9]|gr[6-9])[a-z0-9-]*\.")
"""Instance types with NVIDIA GPUs; g4ad has GPUs of AMD."""
GPU_KINDS = {
    "g4dn": "T4", "g5": "A10G", "g5g": "T4G", "g6": "L4", "g6e": "L40S", "gr6": "L4",
    "p3": "V100", "p3dn": "V100", "p4d": "A100", "p5": "H100", "p5e": "H200", "p5en": "H200",
}  # fmt: skip
"""Ray's name for the GPUs of an instance family, as in `accelerator_type:L4`."""
INSTANCE_SIZE = re.compile(r"[a-z0-9-]+\.(\d*)xlarge")
AMI = re.compile(r"ami-[0-9a-f]{8}([0-9a-f]{9})?")
WORLD = {"0.0.0.0/0", "::/0"}
SSH_PORT = 22
PYTHON_TYPES = {
    "string": str, "integer": int, "long": int, "boolean": bool, "list": list, "map": dict, "structure": dict,
}  # fmt: skip
RAY_FIELDS = {"SubnetIds"}
"""Fields of node_config that Ray removes before it requests the instance."""
MAX_LISTED_NAMES = 50
"""Names of an enumeration up to which a remedy lists all of them."""


def check_aws_rules(cluster: ClusterFile) -> None:
    """Add a finding for everything that AWS would refuse, and for open ports and missing GPUs, keys and roles.

    Raises:
        HarnessError: botocore is not installed.
    """
    ec2 = _load_ec2_model()
    for name in cluster.get_value(dict, "available_node_types"):
        _check_node_config(cluster, ec2, ("available_node_types", name, "node_config"))
    _check_keys(cluster)
    _check_open_ports(cluster, ec2)
    _check_gpus(cluster)
    _check_head_role(cluster)
    _check_region(cluster)
    if cluster.get_value(dict, "provider").get("cache_stopped_nodes", True) is not False:
        cluster.add_error(
            ("provider", "cache_stopped_nodes"),
            "unused instances are stopped, not terminated: their disks still cost money, and keep their old state",
            "Write `cache_stopped_nodes: false`.",
        )


@cache
def _load_ec2_model() -> Any:
    """Return botocore's model of the EC2 API."""
    try:
        from botocore.session import Session
    except ImportError as error:
        raise HarnessError("boto3 is not installed", remedy="Install depthbench[cluster].") from error
    return Session().get_service_model("ec2")


def _check_node_config(cluster: ClusterFile, ec2: Any, location: Location) -> None:
    """Check the fields of an instance, and its image."""
    fields = cluster.get_value(dict, *location)
    config = {key: value for key, value in fields.items() if key not in RAY_FIELDS}
    shape = ec2.operation_model("RunInstances").input_shape
    for field, what, remedy in _validate(shape, config, location):
        cluster.add_error(field, what, remedy)
    if "LaunchTemplate" not in config:
        _check_image(cluster, config, location)
    if config.get("SecurityGroupIds"):
        what = "the rules of these security groups are not in this file, so their open ports are not checked"
        cluster.add_warning((*location, "SecurityGroupIds"), what)


def _validate(shape: Any, value: Any, location: Location) -> Iterator[tuple[Location, str, str]]:
    """Yield location, error and remedy of everything in ``value`` that does not fit botocore's model of it."""
    python_type = PYTHON_TYPES.get(shape.type_name)
    is_bool_as_number = python_type is int and isinstance(value, bool)
    if python_type and (not isinstance(value, python_type) or is_bool_as_number):
        yield location, f"{str(value)[:60]!r} is not what AWS takes here: {shape.type_name}", ""
    elif shape.type_name == "structure":
        for key, item in value.items():
            if key in shape.members:
                yield from _validate(shape.members[key], item, (*location, key))
            else:
                yield (*location, key), f"AWS has no field '{key}' here", suggest_nearest(str(key), shape.members)
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _validate(shape.member, item, (*location, number))
    elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        remedy = suggest_nearest(value, shape.enum)
        if len(shape.enum) >= MAX_LISTED_NAMES:
            remedy = remedy.partition("Known")[0]
        note = "If it is new, update boto3."
        yield location, f"AWS has no {shape.name} '{value}'", f"{remedy} {note}".strip()


def _check_image(cluster: ClusterFile, config: dict[str, Any], location: Location) -> None:
    """Check instance type and image of a node that has no launch template."""
    if not config.get("InstanceType"):
        cluster.add_error(location, "InstanceType is missing", "Write the type of instance, such as g6.2xlarge.")
    image = str(config.get("ImageId", ""))
    if not image or image.lower() == "latest_dlami":
        cluster.add_error(
            (*location, "ImageId"),
            "ImageId is missing, and Ray's default is an Ubuntu 18.04 with a driver too old for today's torch",
            "Write an image of your region with the NVIDIA driver, or resolve:ssm:... as in the shipped cluster.yaml.",
        )
    elif not image.startswith("resolve:ssm:/") and not AMI.fullmatch(image):
        cluster.add_error((*location, "ImageId"), f"'{image}' is not an image id", "Write ami-... or resolve:ssm:/....")


def _check_keys(cluster: ClusterFile) -> None:
    """Check that the key pair of every node fits the private key that ssh uses."""
    key = cluster.get_value(str, "auth", "ssh_private_key")
    if key and not is_local_file(key):
        cluster.add_error(
            ("auth", "ssh_private_key"), f"there is no {key} here", "Write the path of the key pair's file."
        )
    for name in cluster.get_value(dict, "available_node_types"):
        location = ("available_node_types", name, "node_config")
        config = cluster.get_value(dict, *location)
        if key and not {"KeyName", "UserData", "LaunchTemplate"} & set(config):
            cluster.add_error(
                location, "KeyName is missing, so ssh cannot log in", "Name the key pair of auth.ssh_private_key."
            )
        if not key and "KeyName" in config:
            cluster.add_error(
                (*location, "KeyName"),
                f"the file does not name the private key of '{config['KeyName']}'",
                "Write it as auth.ssh_private_key; or remove KeyName, and Ray makes a key pair.",
            )


def _check_open_ports(cluster: ClusterFile, ec2: Any) -> None:
    """Add an error for each port besides ssh that the security group opens to the world."""
    location: Location = ("provider", "security_group", "IpPermissions")
    shape = ec2.operation_model("AuthorizeSecurityGroupIngress").input_shape.members["IpPermissions"]
    rules = cluster.get_value(list, *location)
    for field, what, remedy in _validate(shape, rules, location):
        cluster.add_error(field, what, remedy)
    for number, rule in enumerate(rules):
        if not isinstance(rule, dict):
            continue
        ranges = [*(rule.get("IpRanges") or []), *(rule.get("Ipv6Ranges") or [])]
        sources = {str(value) for entry in ranges if isinstance(entry, dict) for value in entry.values()}
        first, last = rule.get("FromPort"), rule.get("ToPort")
        if sources & WORLD and not (first == last == SSH_PORT and rule.get("IpProtocol") == "tcp"):
            is_every_port = first is None or rule.get("IpProtocol") in ("-1", -1)
            ports = "every port" if is_every_port else f"port {first}" if first == last else f"ports {first} to {last}"
            cluster.add_error(
                (*location, number),
                f"{ports} open to the world",
                "Open only ssh (22): an ssh tunnel leads to MLflow and Ray's dashboard.",
            )


def _check_gpus(cluster: ClusterFile) -> None:
    """Check that workers have GPUs, and that their declared resources are those of the instance."""
    types = cluster.get_value(dict, "available_node_types")
    workers = [name for name in types if name != cluster.head_type]
    with_gpus = []
    for name in workers:
        location = ("available_node_types", name)
        instance = cluster.get_value(str, *location, "node_config", "InstanceType")
        declared = cluster.get_value(dict, *location, "resources").get("GPU", 0)
        has_gpu = bool(GPU_INSTANCE.match(instance))
        if declared and instance and not has_gpu:
            what = f"{instance} has no NVIDIA GPU, but {declared} are declared here"
            cluster.add_error((*location, "resources"), what, "Remove GPU, or choose another InstanceType.")
        if has_gpu:
            _check_declared_resources(cluster, location, instance)
        if has_gpu or (not instance and cluster.has_field(*location, "node_config", "LaunchTemplate")):
            with_gpus.append(name)
    if workers and not with_gpus and cluster.has_workers:
        cluster.add_error(
            ("available_node_types",),
            "no type of worker has an NVIDIA GPU",
            "Add one, such as InstanceType: g6.2xlarge (one L4); g4ad has GPUs of AMD.",
        )


def _check_declared_resources(cluster: ClusterFile, location: Location, instance: str) -> None:
    """Check the declared CPUs and kind of GPU of an instance type with GPUs."""
    resources = cluster.get_value(dict, *location, "resources")
    size, cpus = INSTANCE_SIZE.fullmatch(instance), resources.get("CPU", 0)
    # In all of these families, an xlarge has 4 cores and an Nxlarge has 4 N.
    cores = 4 * int(size[1] or 1) if size else None
    if cores is not None and isinstance(cpus, int | float) and cpus > cores:
        cluster.add_error(
            (*location, "resources"),
            f"{instance} has {cores} cores, but {cpus} are declared here, so trials would share them",
            f"Write CPU: {cores}.",
        )
    kind = GPU_KINDS.get(instance.partition(".")[0])
    for name in resources:
        if name.startswith(ACCELERATOR_PREFIX) and kind and name != ACCELERATOR_PREFIX + kind:
            cluster.add_error(
                (*location, "resources"),
                f"{instance} has GPUs of the kind {kind}, not {name.removeprefix(ACCELERATOR_PREFIX)}",
                f'Write "{ACCELERATOR_PREFIX}{kind}": 1.',
            )


def _check_head_role(cluster: ClusterFile) -> None:
    """Add a warning if the role that Ray makes for the head lacks permissions that the workers need."""
    types = cluster.get_value(dict, "available_node_types")
    configs = {name: cluster.get_value(dict, "available_node_types", name, "node_config") for name in types}
    if cluster.head_type not in types or "IamInstanceProfile" in configs[cluster.head_type]:
        return
    for name, config in configs.items():
        needs_role = "IamInstanceProfile" in config or "resolve:ssm" in str(config.get("ImageId", ""))
        if name != cluster.head_type and needs_role:
            cluster.add_warning(
                ("available_node_types", cluster.head_type, "node_config"),
                f"Ray's default role for the head can neither give '{name}' a role nor read resolve:ssm",
                "Give the head an IamInstanceProfile that can; `harness cluster roles` makes one.",
            )


def _check_region(cluster: ClusterFile) -> None:
    """Check that there is a region, and that the availability zones are in it."""
    region = cluster.get_value(str, "provider", "region")
    if not region:
        cluster.add_error(("provider",), "the field 'region' is missing", "Write it, such as region: us-east-1.")
    for zone in cluster.get_value(str, "provider", "availability_zone").split(","):
        if region and zone.strip() and not zone.strip().startswith(region):
            cluster.add_error(
                ("provider", "availability_zone"),
                f"{zone.strip()} is not in {region}",
                "Write zones of the region, or another region.",
            )
