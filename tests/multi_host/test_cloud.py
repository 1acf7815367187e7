"""The shipped cluster.yaml from `ray up` to `ray down` with Ray's AWS provider, on a mock cloud."""

import json

import pytest
from multi_host.cloud import ENV, Cloud
from multi_host.cluster import wait_until
from multi_host.lab import REPOSITORY, Lab, lab_obstacle
from multi_host.shipped import write_aws_file

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1500)]
TRIALS, BUCKET = 2, "a-bucket"
RUN = ["--seeds", "10,", "--set", "variants.depth=8", "--set", "contrasts=[]", "--set", "recipe.epochs=40"]
"""Options for two trials, each of which needs a whole worker."""
RUN += ["--set", "resources.cpus=2", "--set", "execution.checkpoint_seconds=1", "--set", "name=clouds"]


@pytest.fixture(scope="module")
def cloud():
    """A mock cloud in a lab of its own."""
    if reason := lab_obstacle():
        pytest.skip(reason)
    lab = Lab(env=ENV)
    try:
        lab.up(0)
        cloud = Cloud(lab)
        yield cloud
        cloud.stop()
    finally:
        lab.down()


def test_instances_start_for_waiting_trials_are_replaced_when_lost_and_end_with_ray_down(cloud):
    lab = cloud.lab
    (lab.folder / "shared" / "cluster.yaml").write_text(write_aws_file(cloud.subnet, BUCKET))
    # The laptop runs the commands in the order of docs/cluster.md.
    created = lab.exec("h0", f"python -m harness cluster roles {BUCKET}").stdout
    parts = (f"bucket {BUCKET}", "role depthbench-worker", "role depthbench-head", "spot instances")
    assert created.splitlines() == [f"{part}: created" for part in parts]
    lab.exec("h0", "mkdir work; cp /mnt/cluster.yaml work; ray get-auth-token --generate > /dev/null 2>&1")

    lab.exec("h0", f"cd {REPOSITORY}; python -m harness cluster check cluster.yaml")
    lab.exec("h0", "cd work; ray up -y --no-config-cache cluster.yaml", timeout=300)
    # Only the head was started, because no trial waits yet.
    assert [(instance.kind, instance.tags["ray-node-type"]) for instance in cloud.instances.values()] == [
        ("m7i.large", "head")
    ]
    (head,) = cloud.call("ec2", "describe_instances")["Reservations"][0]["Instances"]
    assert head["IamInstanceProfile"]["Arn"].endswith("/depthbench-head")
    assert head["ImageId"].startswith("resolve:ssm:/")
    assert list_open_ports(cloud, head["SecurityGroups"][0]["GroupId"]) == [("tcp", 22, 22)]

    words = " ".join(f"'{word}'" for word in RUN)
    run = lab.start("h0", f"cd work; python -m harness run quickstart --cluster cluster.yaml {words} > /mnt/run 2>&1")
    log = lab.folder / "shared" / "run"
    lost = wait_until(
        lambda: next((worker for worker in cloud.running_instances("gpu") if is_training(cloud, worker.host)), None),
        "a trial on a worker",
        200,
        run,
    )
    workers = [worker for worker in cloud.instances.values() if worker.tags.get("ray-user-node-type") == "gpu"]
    assert 1 <= len(workers) <= TRIALS
    assert {worker.kind for worker in workers} == {"g6.2xlarge"}

    cloud.call("ec2", "terminate_instances", InstanceIds=[lost.id])
    wait_until(lambda: not lab.is_running(lost.host), f"the end of {lost.host}", 20, run)
    first_ids = {worker.id for worker in workers}
    replacement = wait_until(
        lambda: next((worker for worker in cloud.running_instances("gpu") if worker.id not in first_ids), None),
        "another worker",
        120,
        run,
    )
    assert replacement.kind == "g6.2xlarge"
    assert run.wait(300) == 0, log.read_text()
    assert f"{TRIALS} trials in" in log.read_text()
    # The second attempt of the lost trial resumed from a checkpoint on another host.
    second_attempts = [attempt for attempt in read_attempts(cloud) if attempt["number"] == 2]
    assert len(second_attempts) == 1 and (second_attempts[0]["epoch"], second_attempts[0]["step"]) != (0, 0)
    assert second_attempts[0]["process"]["host"] != lost.host

    assert "clouds" in lab.exec("h0", "cd work; python -m harness status").stdout
    lab.exec("h0", "cd work; python -m harness pull clouds")
    assert "cifar-plain8" in lab.exec("h0", "cat work/reports/clouds/README.md").stdout

    lab.exec("h0", "cd work; ray down -y cluster.yaml", timeout=120)
    wait_until(
        lambda: not any(instance.running for instance in cloud.instances.values()), "the end of all instances", 30
    )
    states = {
        instance["State"]["Name"]
        for reservation in cloud.call("ec2", "describe_instances")["Reservations"]
        for instance in reservation["Instances"]
    }
    # A stopped instance would still cost money; a terminated one does not.
    assert states == {"terminated"}


def list_open_ports(cloud, group):
    """Return (protocol, first port, last port) of each rule of a security group that admits every address."""
    (security_group,) = cloud.call("ec2", "describe_security_groups", GroupIds=[group])["SecurityGroups"]
    return [
        (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"))
        for rule in security_group["IpPermissions"]
        if any(source.get("CidrIp") == "0.0.0.0/0" for source in rule["IpRanges"]) or rule["Ipv6Ranges"]
    ]


def read_attempts(cloud):
    """Return the attempts in the bucket; ``has_checkpoint`` tells whether the trial has a checkpoint there."""
    files = cloud.read_files(BUCKET)
    with_checkpoint = {name.rpartition("/")[0] for name in files if "/checkpoint-" in name}
    return [
        json.loads(text) | {"has_checkpoint": name.rpartition("/")[0] in with_checkpoint}
        for name, text in files.items()
        if "/attempt-" in name
    ]


def is_training(cloud, host):
    """Return whether a trial that has a checkpoint runs on ``host``."""
    return any(
        attempt["process"]["host"] == host and not attempt["ended"] and attempt["has_checkpoint"]
        for attempt in read_attempts(cloud)
    )
