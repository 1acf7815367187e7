"""The shipped cluster files with the lab's addresses and key, and without installation.

What the setup commands would install is on the lab's hosts already; they have no network to install it from.
"""

import yaml
from multi_host.lab import REPOSITORY, Lab

SMALL = "--num-cpus=2 --memory=2000000000 --object-store-memory=100000000"
"""Every host of the lab sees the whole machine; Ray is told to use a part of it."""


def local_file(workers: int = 2, small: str = SMALL) -> str:
    """cluster-local.yaml for h1, the head, and h2 to h<workers + 1>; checkpoints on the disk that all hosts share."""
    content = _read("cluster-local.yaml")
    addresses = [f"{Lab.NET}.{11 + number}" for number in range(workers + 1)]
    content["provider"].update(head_ip=addresses[0], worker_ips=addresses[1:])
    content["auth"] = {"ssh_user": "root", "ssh_private_key": Lab.KEY}
    content.update(min_workers=workers, max_workers=workers)
    return _write(content, small).replace("/mnt/shared/depthbench", f"{Lab.SHARED}/depthbench")


def aws_file(subnet: str, bucket: str, small: str = SMALL) -> str:
    """cluster.yaml for the mock cloud: its subnet, private addresses, the user root, and checkpoints in ``bucket``.

    Types of instances, images, roles, the key pair that Ray makes and its security group are the shipped file's.
    """
    content = _read("cluster.yaml")
    content["provider"].update(use_internal_ips=True, availability_zone="us-east-1a")
    content["auth"]["ssh_user"] = "root"
    for kind in content["available_node_types"].values():
        kind["node_config"]["SubnetIds"] = [subnet]
    # As many as the lab's host is told to use; the GPU stands for itself.
    content["available_node_types"]["gpu"]["resources"]["CPU"] = 2
    # Ray tells `ray start` the resources of its type of node by itself.
    small = small.replace("--num-cpus=2 ", "")
    return _write(content, small).replace("s3://my-bucket/", f"s3://{bucket}/")


def _read(name: str) -> dict:
    return yaml.safe_load((REPOSITORY / name).read_text())


def _write(content: dict, small: str) -> str:
    token = "~/.ray/auth_token"
    content.update(setup_commands=[], head_setup_commands=[], file_mounts={token: content["file_mounts"][token]})
    return yaml.safe_dump(content, sort_keys=False, width=10_000).replace("ray start ", f"ray start {small} ")
