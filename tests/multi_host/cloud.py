"""A mock cloud: moto answers Ray's calls to EC2, and hosts of the lab start and stop as its instances do.

Tests with it cover the requests to EC2 and their order, the set-up of hosts by ssh, scaling and teardown. They do not
cover permissions, images, quotas or boot times.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

PORT = 5555
ENV = {
    "AWS_ENDPOINT_URL": f"http://10.77.0.10:{PORT}",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "lab",
    "AWS_SECRET_ACCESS_KEY": "lab",
}
"""Variables that every host of the lab has to export."""
SUBNET = "10.77.0.16/28"
"""moto assigns the addresses .20, .21, ..., which are those of h10, h11, ..."""


@dataclass
class Instance:
    """An instance in the cloud's list."""

    id: str
    kind: str
    address: str
    running: bool
    tags: dict[str, str]

    @property
    def host(self) -> str:
        """The name of its host in the lab."""
        return f"h{int(self.address.rpartition('.')[2]) - 10}"


class Cloud:
    """A cloud whose instances are hosts of ``lab``. The lab has only h0 at first; moto runs there.

    Attributes:
        instances: All instances that were ever started, by id, in the order of their start.
        subnet: Id of the subnet that has the lab's addresses.
    """

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self.instances: dict[str, Instance] = {}
        self._server = lab.start("h0", f"exec moto_server -H 10.77.0.10 -p {PORT} > /tmp/moto.log 2>&1")
        self.subnet = lab.exec(
            "h0", f"until curl -s {ENV['AWS_ENDPOINT_URL']} > /dev/null; do sleep 0.2; done; python {__file__} prepare"
        ).stdout.strip()
        self._watch = lab.start("h0", f"exec python {__file__} watch", stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def call(self, service: str, method: str, **arguments: Any) -> dict[str, Any]:
        """Return the cloud's response to one call of boto3."""
        printed = self.lab.exec("h0", f"python {__file__} call {service} {method} '{json.dumps(arguments)}'").stdout
        response: dict[str, Any] = json.loads(printed)
        return response

    def read_files(self, bucket: str) -> dict[str, str]:
        """Return the objects of a bucket by name: the content of ``.json`` objects, and empty text for others."""
        files: dict[str, str] = json.loads(self.lab.exec("h0", f"python {__file__} files {bucket}").stdout)
        return files

    def running_instances(self, kind: str) -> list[Instance]:
        """Return the running instances of one node type of the cluster file."""
        return [
            instance
            for instance in self.instances.values()
            if instance.running and instance.tags.get("ray-user-node-type") == kind
        ]

    def stop(self) -> None:
        """Stop following the cloud: no host starts or stops any more with the cloud's instances."""
        os.killpg(self._watch.pid, signal.SIGKILL)
        self._thread.join(30)

    def _follow(self) -> None:
        """Start and stop hosts as the instances that the watching process lists."""
        assert self._watch.stdout is not None
        for line in self._watch.stdout:
            for fields in json.loads(line):
                key = fields.pop("key")
                instance = Instance(**fields)
                self.instances[instance.id] = instance
                if instance.running and not self.lab.is_running(instance.host):
                    self.lab.boot(instance.host)
                    self.lab.exec(instance.host, f"echo '{key}' >> ~/.ssh/authorized_keys")
                elif instance.host not in {other.host for other in self.instances.values() if other.running}:
                    self.lab.kill(instance.host)


def _prepare() -> str:
    """Create the network with the lab's addresses; runs on h0."""
    import boto3

    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=SUBNET, AvailabilityZone="us-east-1a")
    return str(subnet["Subnet"]["SubnetId"])


def _files(bucket: str) -> dict[str, str]:
    """Return the files of a bucket as :meth:`Cloud.read_files` does; runs on h0."""
    import boto3

    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    names = [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def content(name: str) -> str:
        return str(s3.get_object(Bucket=bucket, Key=name)["Body"].read().decode())

    return {name: content(name) if name.endswith(".json") else "" for name in names}


def _watch() -> None:
    """Print a line that lists all instances twice a second; runs on h0."""
    import boto3

    ec2 = boto3.client("ec2")
    while True:
        keys = {key["KeyName"]: key["PublicKey"] for key in ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]}
        instances = [
            {
                "id": instance["InstanceId"],
                "kind": instance["InstanceType"],
                "address": instance.get("PrivateIpAddress") or "",
                "running": instance["State"]["Name"] in ("pending", "running"),
                "tags": {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])},
                "key": keys.get(instance.get("KeyName", ""), ""),
            }
            for reservation in ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
        ]
        print(json.dumps(instances), flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        print(_prepare())
    elif sys.argv[1] == "files":
        print(json.dumps(_files(sys.argv[2])))
    elif sys.argv[1] == "watch":
        _watch()
    else:
        import boto3

        service, method, arguments = sys.argv[2:]
        print(json.dumps(getattr(boto3.client(service), method)(**json.loads(arguments)), default=str))
