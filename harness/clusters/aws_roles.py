"""What has to be in an AWS account before `ray up cluster.yaml`: a bucket for checkpoints, and what nodes may do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from harness.errors import HarnessError

HEAD, WORKER = "depthbench-head", "depthbench-worker"
"""Names of the roles, and of the instance profiles that carry them, as cluster.yaml has them."""
SPOT = "spot.amazonaws.com"
"""Starts spot instances in an account's name, by a role of its own that the first start makes where it may: the head's
may not."""
TRUST = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
STARTS = ["ec2:RunInstances", "ec2:TerminateInstances", "ec2:StopInstances", "ec2:CreateTags", "ec2:DeleteTags"]
"""What Ray's autoscaler does on the head, beside looking."""


def create_aws_roles(bucket: str, region: str) -> Iterator[str]:
    """Make what is not there yet, and tell of each; what is there is brought to the same state.

    Raises:
        HarnessError: boto3 is not installed, there are no credentials, or AWS refuses.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise HarnessError("boto3 is not installed", remedy="Install depthbench[cluster].") from error
    try:
        iam, s3 = boto3.client("iam", region_name=region), boto3.client("s3", region_name=region)
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        yield f"bucket {bucket}: {_unless_there(s3.create_bucket, Bucket=bucket, **place)}"
        files: list[dict[str, Any]] = [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": f"arn:aws:s3:::{bucket}/*",
            },
        ]
        yield _role(iam, WORKER, bucket, files)
        worker = iam.get_role(RoleName=WORKER)["Role"]["Arn"]
        yield _role(
            iam,
            HEAD,
            bucket,
            [
                *files,
                {"Effect": "Allow", "Action": ["ec2:Describe*", *STARTS], "Resource": "*"},
                {"Effect": "Allow", "Action": "iam:PassRole", "Resource": worker},
                # For images named by resolve:ssm:... .
                {
                    "Effect": "Allow",
                    "Action": "ssm:GetParameters",
                    "Resource": "arn:aws:ssm:*::parameter/aws/service/*",
                },
            ],
        )
        yield f"spot instances: {_unless_there(iam.create_service_linked_role, AWSServiceName=SPOT)}"
    except (BotoCoreError, ClientError, ValueError) as error:
        taken = "BucketAlreadyExists" in str(error)
        raise HarnessError(
            f"AWS refuses: {error}",
            where=f"region {region}",
            remedy=f"'{bucket}' is somebody else's: names of buckets are unique in the world. Take another one."
            if taken
            else "Credentials come from AWS's own settings; making roles takes an administrator's.",
        ) from error


def _role(iam: Any, name: str, bucket: str, statements: list[dict[str, Any]]) -> str:
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    made = _unless_there(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust)
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    # One policy for each bucket: another one's trials keep theirs.
    iam.put_role_policy(RoleName=name, PolicyName=f"depthbench-{bucket}", PolicyDocument=document)
    _unless_there(iam.create_instance_profile, InstanceProfileName=name)
    _unless_there(iam.add_role_to_instance_profile, InstanceProfileName=name, RoleName=name)
    return f"role {name}: {made}"


def _unless_there(call: Callable[..., Any], **arguments: Any) -> str:
    from botocore.exceptions import ClientError

    try:
        call(**arguments)
    except ClientError as error:
        # An instance profile holds one role at most: a second one is a limit exceeded.
        there = ("EntityAlreadyExists", "BucketAlreadyOwnedByYou", "LimitExceeded")
        # The role of a service has no code of its own for it.
        if error.response["Error"]["Code"] not in there and "has been taken in this account" not in str(error):
            raise
        return "there already"
    return "made"
