"""The shipped cluster files, changed for the lab: its addresses and key, and no setup commands.

The lab's hosts have everything installed, and no network from which the setup commands could install it.
"""

import yaml
from multi_host.lab import REPOSITORY, Lab

RAY_RESOURCES = "--num-cpus=2 --memory=2000000000 --object-store-memory=100000000"
"""Options of ``ray start``. Every host of the lab sees the whole machine, so they limit Ray to a part of it."""


def write_local_file(workers: int = 2, ray_resources: str = RAY_RESOURCES) -> str:
    """Return cluster-local.yaml for the head h1, some workers from h2 on, and checkpoints on the shared disk."""
    content = _read("cluster-local.yaml")
    addresses = [f"{Lab.NET}.{11 + number}" for number in range(workers + 1)]
    content["provider"].update(head_ip=addresses[0], worker_ips=addresses[1:])
    content["auth"] = {"ssh_user": "root", "ssh_private_key": Lab.KEY}
    content.update(min_workers=workers, max_workers=workers)
    return _write(content, ray_resources).replace("/mnt/shared/depthbench", f"{Lab.SHARED}/depthbench")


def write_aws_file(subnet: str, bucket: str, ray_resources: str = RAY_RESOURCES) -> str:
    """Return cluster.yaml for the mock cloud: its subnet, private addresses, the user root, checkpoints in ``bucket``.

    Instance types, images, roles, the key pair that Ray makes and its security group are those of the shipped file.
    """
    content = _read("cluster.yaml")
    content["provider"].update(use_internal_ips=True, availability_zone="us-east-1a")
    content["auth"]["ssh_user"] = "root"
    for kind in content["available_node_types"].values():
        kind["node_config"]["SubnetIds"] = [subnet]
    # The CPUs to which the lab limits a host. The GPU has no counterpart in the lab.
    content["available_node_types"]["gpu"]["resources"]["CPU"] = 2
    # Ray passes the CPUs of a node type to `ray start` itself.
    ray_resources = ray_resources.replace("--num-cpus=2 ", "")
    return _write(content, ray_resources).replace("s3://my-bucket/", f"s3://{bucket}/")


def _read(name: str) -> dict:
    """Return the content of a shipped cluster file."""
    return yaml.safe_load((REPOSITORY / name).read_text())


def _write(content: dict, ray_resources: str) -> str:
    """Return the YAML of a cluster file without setup commands, with only the token among its file mounts."""
    token = "~/.ray/auth_token"
    content.update(setup_commands=[], head_setup_commands=[], file_mounts={token: content["file_mounts"][token]})
    return yaml.safe_dump(content, sort_keys=False, width=10_000).replace("ray start ", f"ray start {ray_resources} ")
