"""Puts a policy on a role of ministack, assumes the role as an instance does, and makes calls.

stdin:  {"account": ID, "region": REGION, "policy": DOCUMENT, "session": NAME, "calls": [{"action": A, "resource": R}, ...]}
stdout: ["done" | "denied" | "unsupported: CODE" | "not tried", ...], one for each call, in order

ministack enforces IAM for every request, and implements only some of them: a call that passes authorisation and is not implemented is
"unsupported". So is an action of COARSE: ministack asks for another resource than the Service Authorization Reference names. "not tried"
is an action that CALLS does not know how to make.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ministack_server import with_ministack

DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}


def bucket(resource):
    return resource.split(":::", 1)[1].split("/", 1)[0]


def key(resource):
    return resource.split(":::", 1)[1].split("/", 1)[1]


def group(resource):
    return resource.split(":log-group:", 1)[1].split(":", 1)[0]


NOW = "2026-11-16T09:00:00Z"

# ministack 1.5 asks for the log group where CloudWatch Logs asks for the log stream, and for `*` where Systems Manager names a resource.
COARSE = ("logs:CreateLogStream", "logs:PutLogEvents", "ssm:Get", "ssm:Put", "ssm:Update", "ssm:Describe", "ssm:List")

# How to make a call that needs just this action on just this resource.
CALLS = {
    "cloudwatch:PutMetricData": lambda c, r: c("cloudwatch").put_metric_data(
        Namespace="AWS/SSM-RunCommand", MetricData=[{"MetricName": "m", "Value": 1.0}]
    ),
    "ec2:DescribeInstanceStatus": lambda c, r: c("ec2").describe_instance_status(),
    "logs:CreateLogGroup": lambda c, r: c("logs").create_log_group(logGroupName=group(r)),
    "logs:DescribeLogGroups": lambda c, r: c("logs").describe_log_groups(),
    "logs:DescribeLogStreams": lambda c, r: c("logs").describe_log_streams(logGroupName=group(r)),
    "s3:AbortMultipartUpload": lambda c, r: c("s3").abort_multipart_upload(Bucket=bucket(r), Key=key(r), UploadId="u"),
    "s3:GetBucketLocation": lambda c, r: c("s3").get_bucket_location(Bucket=bucket(r)),
    "s3:GetEncryptionConfiguration": lambda c, r: c("s3").get_bucket_encryption(Bucket=bucket(r)),
    "s3:GetObject": lambda c, r: c("s3").get_object(Bucket=bucket(r), Key=key(r)),
    "s3:ListBucket": lambda c, r: c("s3").list_objects_v2(Bucket=bucket(r)),
    "s3:ListBucketMultipartUploads": lambda c, r: c("s3").list_multipart_uploads(Bucket=bucket(r)),
    "s3:ListMultipartUploadParts": lambda c, r: c("s3").list_parts(Bucket=bucket(r), Key=key(r), UploadId="u"),
    "s3:PutObject": lambda c, r: c("s3").put_object(Bucket=bucket(r), Key=key(r), Body=b"x"),
    "ssm:GetDeployablePatchSnapshotForInstance": lambda c, r: c("ssm").get_deployable_patch_snapshot_for_instance(
        InstanceId="i-0123456789abcdef0", SnapshotId="11111111-2222-3333-4444-555555555555"
    ),
    "ssm:ListAssociations": lambda c, r: c("ssm").list_associations(),
    "ssm:PutInventory": lambda c, r: c("ssm").put_inventory(
        InstanceId="i-0123456789abcdef0",
        Items=[{"TypeName": "AWS:Application", "SchemaVersion": "1.1", "CaptureTime": NOW, "Content": []}],
    ),
}


def main(question):
    return with_ministack(
        question["account"],
        lambda endpoint: answers(question, endpoint),
        AUTH="true",
        AWS_ACCESS_KEY_ID="root",
        AWS_SECRET_ACCESS_KEY="root",
    )


def answers(question, endpoint):
    config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})

    def clients(**credentials):
        made = {}
        return lambda name: made.setdefault(
            name,
            boto3.client(name, region_name=question["region"], endpoint_url=endpoint, config=config, **credentials),
        )

    root = clients(aws_access_key_id="root", aws_secret_access_key="root")
    prepare(root, question["calls"])
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    }
    root("iam").create_role(RoleName="instance", AssumeRolePolicyDocument=json.dumps(trust))
    root("iam").put_role_policy(RoleName="instance", PolicyName="policyc", PolicyDocument=json.dumps(question["policy"]))
    arn = f"arn:aws:iam::{question['account']}:role/instance"
    assumed = root("sts").assume_role(RoleArn=arn, RoleSessionName=question["session"])["Credentials"]
    instance = clients(
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )
    return [outcome(instance, call) for call in question["calls"]]


def prepare(root, calls):
    """Makes what the calls act on, so that they can succeed."""
    buckets = {bucket(c["resource"]) for c in calls if ":s3:::" in c["resource"]}
    for name in sorted(buckets):
        root("s3").create_bucket(Bucket=name)
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        root("s3").put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    for call in calls:
        if call["action"] == "s3:GetObject":
            root("s3").put_object(Bucket=bucket(call["resource"]), Key=key(call["resource"]), Body=b"x")
    groups = {group(c["resource"]) for c in calls if ":log-group:" in c["resource"] and c["action"] != "logs:CreateLogGroup"}
    for name in sorted(groups):
        root("logs").create_log_group(logGroupName=name)


def outcome(instance, call):
    make = CALLS.get(call["action"])
    if call["resource"] != "*" and call["action"].startswith(COARSE):
        return "unsupported: another resource"
    if make is None:
        return "not tried"
    try:
        make(instance, call["resource"])
        return "done"
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return "denied" if code in DENIED else f"unsupported: {code}"
    except BotoCoreError as error:
        return f"unsupported: {type(error).__name__}"


print(json.dumps(main(json.load(sys.stdin))))
