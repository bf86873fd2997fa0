"""Deploys the demo on a running moto server, as a live account would have it, and prints what is where, as JSON.

usage: live_demo.py URL TEMPLATES            deploys the two templates
       live_demo.py URL --fleet              deploys an Auto Scaling group, with whatever a role can have, and a nested stack
       live_demo.py URL --upload BUCKET DIR  puts the files of a folder into a bucket, and makes a trail that delivers there
       live_demo.py URL --publish ARN FILE   makes a document the newest version of a policy

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


CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
OWN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:PutInventory", "Resource": "*"}]}
BOUNDARY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ssm:*", "s3:*"], "Resource": "*"}]}
IMAGE = "ami-12c6146b"


def fleet(client):
    cloudformation, ec2, iam, s3 = client("cloudformation"), client("ec2"), client("iam"), client("s3")
    inner = {"Resources": {"Logs": {"Type": "AWS::S3::Bucket"}}}
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="inner.json", Body=json.dumps(inner))
    launch = {"ImageId": IMAGE, "InstanceType": "t3.micro", "IamInstanceProfile": {"Arn": {"Fn::GetAtt": ["Profile", "Arn"]}}}
    version = {"LaunchTemplateId": {"Ref": "Template"}, "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}}
    size = {"MinSize": "3", "MaxSize": "3", "DesiredCapacity": "3"}
    resources = {
        "Vpc": ("EC2::VPC", {"CidrBlock": "10.9.0.0/16"}),
        "Subnet": ("EC2::Subnet", {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.1.0/24"}),
        "Role": ("IAM::Role", {"AssumeRolePolicyDocument": TRUST}),
        "Profile": ("IAM::InstanceProfile", {"Roles": [{"Ref": "Role"}]}),
        "Template": ("EC2::LaunchTemplate", {"LaunchTemplateData": launch}),
        "Group": ("AutoScaling::AutoScalingGroup", {"VPCZoneIdentifier": [{"Ref": "Subnet"}], "LaunchTemplate": version, **size}),
        "Inner": ("CloudFormation::Stack", {"TemplateURL": "https://s3.amazonaws.com/templates/inner.json"}),
    }
    body = {"Resources": {k: {"Type": f"AWS::{t}", "Properties": p} for k, (t, p) in resources.items()}}
    body["Parameters"] = {"Size": {"Type": "String", "Default": "small"}, "Stage": {"Type": "String", "Default": "test"}}
    chosen = [{"ParameterKey": "Stage", "ParameterValue": "live"}]
    cloudformation.create_stack(
        StackName="fleet", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"], Parameters=chosen
    )
    names = physical(cloudformation, "fleet")
    role, profile = names["Role"], {"Name": names["Profile"]}
    iam.attach_role_policy(RoleName=role, PolicyArn=SSM)
    iam.attach_role_policy(RoleName=role, PolicyArn=CORE)
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=json.dumps(OWN))
    boundary = iam.create_policy(PolicyName="edge", PolicyDocument=json.dumps(BOUNDARY))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)
    tagged = [{"Name": "tag:aws:autoscaling:groupName", "Values": [names["Group"]]}]
    group = [i["InstanceId"] for r in ec2.describe_instances(Filters=tagged)["Reservations"] for i in r["Instances"]]
    for id in group:
        ec2.associate_iam_instance_profile(IamInstanceProfile=profile, InstanceId=id)
    beside = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, IamInstanceProfile=profile)["Instances"][0]["InstanceId"]
    inner = physical(cloudformation, names["Inner"])
    return {"resources": names, "group": group, "beside": beside, "inner": inner, "boundary": boundary}


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
    elif rest[0] == "--publish":
        document = pathlib.Path(rest[2]).read_text(encoding="utf-8")
        clients(url)("iam").create_policy_version(PolicyArn=rest[1], PolicyDocument=document, SetAsDefault=True)
    elif rest[0] == "--fleet":
        print(json.dumps(fleet(clients(url))))
    else:
        print(json.dumps(deploy(clients(url), rest[0])))
