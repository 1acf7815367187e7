"""Bucket and roles are created in a mocked AWS account."""

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


def test_second_call_creates_nothing():
    assert list(create_aws_roles("ours", "eu-west-1")) == [
        "bucket ours: created",
        "role depthbench-worker: created",
        "role depthbench-head: created",
        "spot instances: created",
    ]
    assert {text.rpartition(": ")[2] for text in create_aws_roles("ours", "eu-west-1")} == {"exists already"}
    assert boto3.client("s3").get_bucket_location(Bucket="ours")["LocationConstraint"] == "eu-west-1"


def test_head_may_start_instances_and_worker_may_use_the_bucket_only():
    list(create_aws_roles("ours", "us-east-1"))
    iam = boto3.client("iam")
    for name in ("depthbench-head", "depthbench-worker"):
        profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        assert [role["RoleName"] for role in profile["Roles"]] == [name]
    allowed = {name: _allowed(iam, name) for name in ("depthbench-head", "depthbench-worker")}
    assert {action.partition(":")[0] for action in allowed["depthbench-worker"]} == {"s3"}
    assert {"ec2:RunInstances", "iam:PassRole", "ssm:GetParameters", "s3:PutObject"} <= set(allowed["depthbench-head"])
    assert allowed["depthbench-head"]["iam:PassRole"].endswith(":role/depthbench-worker")


def test_second_bucket_keeps_the_permissions_for_the_first():
    for bucket in ("ours", "theirs"):
        list(create_aws_roles(bucket, "us-east-1"))
    for role in ("depthbench-head", "depthbench-worker"):
        names = boto3.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
        assert sorted(names) == ["depthbench-ours", "depthbench-theirs"]


def test_bucket_of_another_account_needs_another_name(monkeypatch):
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="taken", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "111111111111")
    with pytest.raises(HarnessError, match=r"'taken' belongs to another account"):
        list(create_aws_roles("taken", "eu-west-1"))


def test_refused_request_is_an_error_with_a_remedy():
    with pytest.raises(HarnessError, match=r"Invalid.*Set credentials"):
        list(create_aws_roles("Not A Name", "us-east-1"))


def _allowed(iam, role):
    document = iam.get_role_policy(RoleName=role, PolicyName="depthbench-ours")["PolicyDocument"]
    statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    every = [(entry["Action"], entry["Resource"]) for entry in statements]
    return {a: resource for actions, resource in every for a in ([actions] if isinstance(actions, str) else actions)}
