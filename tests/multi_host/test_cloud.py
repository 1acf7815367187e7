"""cluster.yaml taken to its end through Ray's real AWS provider, against a mock cloud whose instances are hosts."""

import json

import pytest
from multi_host.cloud import ENV, Cloud
from multi_host.cluster import until
from multi_host.lab import REPOSITORY, Lab, missing
from multi_host.shipped import aws_file

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1500)]
TRIALS, BUCKET = 2, "a-bucket"
RUN = ["--seeds", "10,", "--set", "variants.depth=8", "--set", "contrasts=[]", "--set", "recipe.epochs=40"]
"""Two trials, each of which takes all of a worker."""
RUN += ["--set", "resources.cpus=2", "--set", "execution.checkpoint_seconds=1", "--set", "name=clouds"]


@pytest.fixture(scope="module")
def cloud():
    reason = missing()
    if reason:
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
    (lab.folder / "shared" / "cluster.yaml").write_text(aws_file(cloud.subnet, BUCKET))
    # On the laptop, in the order of docs/cluster.md.
    made = lab.exec("h0", f"python -m harness cluster roles {BUCKET}").stdout
    parts = (f"bucket {BUCKET}", "role depthbench-worker", "role depthbench-head", "spot instances")
    assert made.splitlines() == [f"{part}: created" for part in parts]
    lab.exec("h0", "mkdir work; cp /mnt/cluster.yaml work; ray get-auth-token --generate > /dev/null 2>&1")

    lab.exec("h0", f"cd {REPOSITORY}; python -m harness cluster check cluster.yaml")
    lab.exec("h0", "cd work; ray up -y --no-config-cache cluster.yaml", timeout=300)
    # The head alone: nothing waits yet.
    assert [(one.kind, one.tags["ray-node-type"]) for one in cloud.instances.values()] == [("m7i.large", "head")]
    (head,) = cloud.call("ec2", "describe_instances")["Reservations"][0]["Instances"]
    assert head["IamInstanceProfile"]["Arn"].endswith("/depthbench-head")
    assert head["ImageId"].startswith("resolve:ssm:/")
    assert open_to_the_world(cloud, head["SecurityGroups"][0]["GroupId"]) == [("tcp", 22, 22)]

    words = " ".join(f"'{word}'" for word in RUN)
    run = lab.start("h0", f"cd work; python -m harness run quickstart --cluster cluster.yaml {words} > /mnt/run 2>&1")
    log = lab.folder / "shared" / "run"
    lost = until(
        lambda: next((one for one in cloud.of("gpu") if in_training(cloud, one.host)), None),
        "a trial on a worker",
        200,
        run,
    )
    workers = [one for one in cloud.instances.values() if one.tags.get("ray-user-node-type") == "gpu"]
    assert 1 <= len(workers) <= TRIALS
    assert {one.kind for one in workers} == {"g6.2xlarge"}

    cloud.call("ec2", "terminate_instances", InstanceIds=[lost.id])
    until(lambda: not lab.running(lost.host), f"the end of {lost.host}", 20, run)
    others = {one.id for one in workers}
    new = until(lambda: next((one for one in cloud.of("gpu") if one.id not in others), None), "another", 120, run)
    assert new.kind == "g6.2xlarge"
    assert run.wait(300) == 0, log.read_text()
    assert f"{TRIALS} trials in" in log.read_text()
    # The lost trial went on where it was: its second attempt did not begin at its beginning.
    seconds = [attempt for attempt in attempts(cloud) if attempt["number"] == 2]
    assert len(seconds) == 1 and (seconds[0]["epoch"], seconds[0]["step"]) != (0, 0)
    assert seconds[0]["process"]["host"] != lost.host

    assert "clouds" in lab.exec("h0", "cd work; python -m harness status").stdout
    lab.exec("h0", "cd work; python -m harness pull clouds")
    assert "cifar-plain8" in lab.exec("h0", "cat work/reports/clouds/README.md").stdout

    lab.exec("h0", "cd work; ray down -y cluster.yaml", timeout=120)
    until(lambda: not any(one.on for one in cloud.instances.values()), "the end of all instances", 30)
    states = {
        one["State"]["Name"]
        for reservation in cloud.call("ec2", "describe_instances")["Reservations"]
        for one in reservation["Instances"]
    }
    # Terminated, not stopped: nothing costs on.
    assert states == {"terminated"}


def open_to_the_world(cloud, group):
    """Return (protocol, first port, last port) of each rule of a security group that admits every address."""
    (found,) = cloud.call("ec2", "describe_security_groups", GroupIds=[group])["SecurityGroups"]
    return [
        (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"))
        for rule in found["IpPermissions"]
        if any(source.get("CidrIp") == "0.0.0.0/0" for source in rule["IpRanges"]) or rule["Ipv6Ranges"]
    ]


def attempts(cloud):
    """Return the attempts in the bucket, each with whether its trial has a checkpoint there."""
    files = cloud.files(BUCKET)
    kept = {name.rpartition("/")[0] for name in files if "/checkpoint-" in name}
    return [
        json.loads(text) | {"kept": name.rpartition("/")[0] in kept}
        for name, text in files.items()
        if "/attempt-" in name
    ]


def in_training(cloud, host):
    """Return whether a trial that has a checkpoint runs on ``host``."""
    return any(one["process"]["host"] == host and not one["ended"] and one["kept"] for one in attempts(cloud))
