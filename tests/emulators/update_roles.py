"""Creates a stack of roles on ministack, updates it, and prints what was attached to each role before and afterwards.

stdin:  {"account": ID, "region": REGION, "before": TEMPLATE, "after": TEMPLATE}; parsed, functions in their long form
stdout: {"before": {ROLE: {"managed": [ARN], "inline": {NAME: DOCUMENT}}}, "after": ...}; logical ids in place of names

Of both templates only the roles are deployed, with the bucket and the log group that they refer to: ministack has no
instances. moto has them, and ignores both the managed policies of a role and every change of it.
"""

import json
import sys
import time

import boto3

from ministack_server import with_ministack

STACK = "ssm-demo"
BARE = {"AWS::S3::Bucket", "AWS::Logs::LogGroup"}


def reduced(template):
    kept = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            kept[name] = resource
        elif resource["Type"] in BARE:
            kept[name] = {"Type": resource["Type"]}
    return json.dumps({"Mappings": template.get("Mappings", {}), "Resources": kept})


def main(question):
    return with_ministack(question["account"], lambda endpoint: deploy(question, endpoint))


def deploy(question, endpoint):
    keys = {"aws_access_key_id": question["account"], "aws_secret_access_key": "testing"}
    client = lambda name: boto3.client(name, region_name=question["region"], endpoint_url=endpoint, **keys)
    cloudformation, iam = client("cloudformation"), client("iam")
    call = {"StackName": STACK, "Capabilities": ["CAPABILITY_IAM"]}
    cloudformation.create_stack(TemplateBody=reduced(question["before"]), **call)
    before = attached(cloudformation, iam, "CREATE_COMPLETE")
    cloudformation.update_stack(TemplateBody=reduced(question["after"]), **call)
    return {"before": before, "after": attached(cloudformation, iam, "UPDATE_COMPLETE")}


def attached(cloudformation, iam, wanted):
    for _ in range(300):
        status = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        if not status["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(0.1)
    if status["StackStatus"] != wanted:
        raise SystemExit(f"{status['StackStatus']}: {status.get('StackStatusReason')}")
    found = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    physical = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found}

    def plain(document):
        text = json.dumps(document)
        for name, id in sorted(physical.items(), key=lambda pair: -len(pair[1])):
            text = text.replace(id, f"<{name}>")
        return json.loads(text)

    result = {}
    for resource in found:
        if resource["ResourceType"] != "AWS::IAM::Role":
            continue
        role = resource["PhysicalResourceId"]
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        inline = {n: plain(iam.get_role_policy(RoleName=role, PolicyName=n)["PolicyDocument"]) for n in names}
        managed = [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]]
        result[resource["LogicalResourceId"]] = {"managed": managed, "inline": inline}
    return result


print(json.dumps(main(json.load(sys.stdin))))
