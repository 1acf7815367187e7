"""The resources of an AWS account that the shipped cluster.yaml names: a bucket for checkpoints, and two IAM roles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from harness.errors import HarnessError

HEAD_ROLE, WORKER_ROLE = "depthbench-head", "depthbench-worker"
"""Names of the roles in cluster.yaml, and of the instance profiles that hold them."""
SPOT_SERVICE = "spot.amazonaws.com"
"""The service that starts spot instances. It needs a service-linked role, which the head may not create."""
TRUST_STATEMENT = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
AUTOSCALER_ACTIONS = [
    "ec2:RunInstances", "ec2:TerminateInstances", "ec2:StopInstances", "ec2:CreateTags", "ec2:DeleteTags",
]  # fmt: skip
"""Actions of Ray's autoscaler on the head, besides describing instances."""
ALREADY_EXISTS = ("EntityAlreadyExists", "BucketAlreadyOwnedByYou", "LimitExceeded")
"""AWS's error codes for a resource that exists. An instance profile holds one role, so a second is a limit exceeded."""


def create_aws_roles(bucket: str, region: str) -> Iterator[str]:
    """Create bucket and roles in the AWS account; update the permissions of existing roles.

    Yields:
        A line of text per resource, once it exists.

    Raises:
        HarnessError: boto3 is not installed, there are no credentials, or AWS refuses a request.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise HarnessError("boto3 is not installed", remedy="Install depthbench[cluster].") from error
    try:
        iam, s3 = boto3.client("iam", region_name=region), boto3.client("s3", region_name=region)
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        yield f"bucket {bucket}: {_create_if_missing(s3.create_bucket, Bucket=bucket, **location)}"
        yield _create_role(iam, WORKER_ROLE, bucket, _bucket_statements(bucket))
        worker_arn = iam.get_role(RoleName=WORKER_ROLE)["Role"]["Arn"]
        head_statements = [*_bucket_statements(bucket), *_autoscaler_statements(worker_arn)]
        yield _create_role(iam, HEAD_ROLE, bucket, head_statements)
        outcome = _create_if_missing(iam.create_service_linked_role, AWSServiceName=SPOT_SERVICE)
        yield f"spot instances: {outcome}"
    except (BotoCoreError, ClientError, ValueError) as error:
        is_taken = "BucketAlreadyExists" in str(error)
        raise HarnessError(
            f"AWS refuses: {error}",
            where=f"region {region}",
            remedy=f"Choose another name: the bucket '{bucket}' belongs to another account. Names are unique in AWS."
            if is_taken
            else "Set credentials of an administrator in AWS's own configuration: creating roles needs them.",
        ) from error


def _bucket_statements(bucket: str) -> list[dict[str, Any]]:
    """Return the permissions to read and write the files of a bucket."""
    return [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": f"arn:aws:s3:::{bucket}/*",
        },
    ]


def _autoscaler_statements(worker_arn: str) -> list[dict[str, Any]]:
    """Return the permissions that the head needs to start workers.

    Args:
        worker_arn: ARN of the workers' role, which the head assigns to them.
    """
    return [
        {"Effect": "Allow", "Action": ["ec2:Describe*", *AUTOSCALER_ACTIONS], "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": worker_arn},
        # An ImageId of the form resolve:ssm:... is looked up here.
        {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "arn:aws:ssm:*::parameter/aws/service/*"},
    ]


def _create_role(iam: Any, name: str, bucket: str, statements: list[dict[str, Any]]) -> str:
    """Create a role with its instance profile, set its permissions for a bucket, and return a line about it."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST_STATEMENT]})
    outcome = _create_if_missing(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust)
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    # One policy per bucket, so that a second bucket does not remove the access to the first.
    iam.put_role_policy(RoleName=name, PolicyName=f"depthbench-{bucket}", PolicyDocument=document)
    _create_if_missing(iam.create_instance_profile, InstanceProfileName=name)
    _create_if_missing(iam.add_role_to_instance_profile, InstanceProfileName=name, RoleName=name)
    return f"role {name}: {outcome}"


def _create_if_missing(create: Callable[..., Any], **arguments: Any) -> str:
    """Call a create function of boto3; return ``created``, or ``exists already``."""
    from botocore.exceptions import ClientError

    try:
        create(**arguments)
    except ClientError as error:
        # An existing service-linked role has no error code of its own, only this message.
        exists = error.response["Error"]["Code"] in ALREADY_EXISTS or "has been taken in this account" in str(error)
        if not exists:
            raise
        return "exists already"
    return "created"
