"""The bucket and the roles, made in a mock of AWS's account."""

import json

import boto3
import pytest
from moto import mock_aws

from harness.clusters.aws_roles import create_aws_roles
from harness.errors import HarnessError


@pytest.fixture(autouse=True)
def account(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield


def test_it_is_made_once_and_said_so_again():
    assert list(create_aws_roles("ours", "eu-west-1")) == [
        "bucket ours: made",
        "role depthbench-worker: made",
        "role depthbench-head: made",
        "spot instances: made",
    ]
    assert {text.rpartition(": ")[2] for text in create_aws_roles("ours", "eu-west-1")} == {"there already"}
    assert boto3.client("s3").get_bucket_location(Bucket="ours")["LocationConstraint"] == "eu-west-1"


def test_the_head_starts_workers_and_a_worker_has_the_bucket_alone():
    list(create_aws_roles("ours", "us-east-1"))
    iam = boto3.client("iam")
    for name in ("depthbench-head", "depthbench-worker"):
        profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        assert [role["RoleName"] for role in profile["Roles"]] == [name]
    allowed = {name: _allowed(iam, name) for name in ("depthbench-head", "depthbench-worker")}
    assert {action.partition(":")[0] for action in allowed["depthbench-worker"]} == {"s3"}
    assert {"ec2:RunInstances", "iam:PassRole", "ssm:GetParameters", "s3:PutObject"} <= set(allowed["depthbench-head"])
    assert allowed["depthbench-head"]["iam:PassRole"].endswith(":role/depthbench-worker")


def test_another_bucket_takes_nothing_from_the_first():
    for bucket in ("ours", "theirs"):
        list(create_aws_roles(bucket, "us-east-1"))
    for role in ("depthbench-head", "depthbench-worker"):
        names = boto3.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
        assert sorted(names) == ["depthbench-ours", "depthbench-theirs"]


def test_a_bucket_of_somebody_else_is_no_question_of_credentials(monkeypatch):
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="taken", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "111111111111")
    with pytest.raises(HarnessError, match=r"'taken' is somebody else's"):
        list(create_aws_roles("taken", "eu-west-1"))


def test_what_aws_refuses_is_said_with_a_remedy():
    with pytest.raises(HarnessError, match=r"Invalid.*Credentials come from"):
        list(create_aws_roles("Not A Name", "us-east-1"))


def _allowed(iam, role):
    document = iam.get_role_policy(RoleName=role, PolicyName="depthbench-ours")["PolicyDocument"]
    statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    every = [(entry["Action"], entry["Resource"]) for entry in statements]
    return {a: resource for actions, resource in every for a in ([actions] if isinstance(actions, str) else actions)}
