"""Deploys the demo on a running moto server, as a live account would have it, and prints what is where, as JSON.

usage: live_demo.py URL TEMPLATES            deploys the two templates
       live_demo.py URL --upload BUCKET DIR  puts the files of a folder into a bucket, and makes a trail that delivers there

What moto leaves out is done by the API: managed policies of roles, which subnet has which route table, and public addresses.
"""

import json
import os
import pathlib
import sys

os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = "testing"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import boto3
import cfnlint.decode

REGION = "us-east-1"
SSM = "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM"
STACKS = {
    "ssm-demo": "ssm-session-mgr-example.yaml",
    "ssm-demo-privatelink": "ssm-session-mgr-privatelink-example.yaml",
}


def clients(url):
    return lambda name: boto3.client(name, region_name=REGION, endpoint_url=url)


def physical(cloudformation, stack):
    found = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found if r.get("PhysicalResourceId")}


def deploy(client, folder):
    cloudformation, ec2, iam = client("cloudformation"), client("ec2"), client("iam")
    result = {}
    for stack, template in STACKS.items():
        path = f"{folder}/{template}"
        cloudformation.create_stack(
            StackName=stack, TemplateBody=open(path, encoding="utf-8").read(), Capabilities=["CAPABILITY_IAM"]
        )
        names = physical(cloudformation, stack)
        resources = cfnlint.decode.decode(path)[0]["Resources"]
        for name, resource in resources.items():
            if resource["Type"] == "AWS::EC2::SubnetRouteTableAssociation":
                subnet, table = (names[resource["Properties"][key]["Ref"]] for key in ("SubnetId", "RouteTableId"))
                found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"]
                if not any(a.get("SubnetId") == subnet for a in found):
                    ec2.associate_route_table(SubnetId=subnet, RouteTableId=table)
            if resource["Type"] == "AWS::IAM::Role" and name.endswith("InstanceRole"):
                iam.attach_role_policy(RoleName=names[name], PolicyArn=SSM)
                for policy in iam.list_role_policies(RoleName=names[name])["PolicyNames"]:
                    iam.delete_role_policy(RoleName=names[name], PolicyName=policy)
        result[stack] = {"resources": names, "roles": roles(client, names)}
    return result


def roles(client, names):
    ec2, iam = client("ec2"), client("iam")
    found = {}
    for logical, name in names.items():
        if not logical.endswith("InstanceRole"):
            continue
        id = names[logical.removesuffix("Role")]
        if logical == "PublicInstanceRole":
            address = ec2.allocate_address(Domain="vpc")
            ec2.associate_address(InstanceId=id, AllocationId=address["AllocationId"])
        instance = ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
        found[logical] = {
            "name": name,
            "arn": iam.get_role(RoleName=name)["Role"]["Arn"],
            "instance": id,
            "private": instance["PrivateIpAddress"],
            "public": instance.get("PublicIpAddress"),
            "nat": [
                a["PublicIp"]
                for g in ec2.describe_nat_gateways(Filter=[{"Name": "vpc-id", "Values": [instance["VpcId"]]}])["NatGateways"]
                for a in g["NatGatewayAddresses"]
            ],
        }
    return found


def upload(client, bucket, folder):
    s3, cloudtrail = client("s3"), client("cloudtrail")
    s3.create_bucket(Bucket=bucket)
    root = pathlib.Path(folder)
    for path in sorted(root.rglob("*")):
        if path.is_file():
            s3.put_object(Bucket=bucket, Key=str(path.relative_to(root)), Body=path.read_bytes())
    cloudtrail.create_trail(Name="main", S3BucketName=bucket, IsMultiRegionTrail=True)
    cloudtrail.start_logging(Name="main")
    data = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]
    cloudtrail.put_event_selectors(
        TrailName="main",
        EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": data}],
    )


if __name__ == "__main__":
    url, rest = sys.argv[1], sys.argv[2:]
    if rest[0] == "--upload":
        upload(clients(url), *rest[1:])
    else:
        print(json.dumps(deploy(clients(url), rest[0])))
