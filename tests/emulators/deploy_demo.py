"""Deploys a demo template on moto and prints what came of it, as JSON with logical ids in place of physical ones.

usage: deploy_demo.py TEMPLATE [PARAMETER=VALUE ...]

What moto leaves out comes from the parsed template: bucket policies, which subnet has which route table, and of what
CloudFormation makes the metadata options of an instance, the outbound rules of a security group, and most settings of a bucket.
Managed policies of roles are left out too, and are attached here as the template names them.
"""

import ast
import json
import os
import sys

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = "testing"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import boto3
import cfnlint.decode
import yaml
from moto.server import ThreadedMotoServer

STACK, REGION = "ssm-demo", "us-east-1"


def main(path, parameters):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = lambda name: boto3.client(name, region_name=REGION, endpoint_url=f"http://{host}:{port}")
    try:
        print(json.dumps(deploy(client, path, parameters)))
    finally:
        server.stop()


def deploy(client, path, parameters):
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=open(path, encoding="utf-8").read(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    found = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    # moto lists resources that have no physical id, and those whose condition is false, without a name.
    physical = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found if "PhysicalResourceId" in r}
    logical = {v: k for k, v in physical.items() if not k.endswith(("Attachment", "Routing", "Route"))}
    template = cfnlint.decode.decode(path)[0]
    ec2, s3 = client("ec2"), client("s3")
    attach(client("iam"), template, physical)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    for key, value in outputs.items():
        for name, id in physical.items():
            if name.endswith("Instance"):
                value = value.replace(id, f"<{name}>")
        outputs[key] = logical.get(value, value)
    return {
        "status": stack["StackStatus"],
        "outputs": outputs,
        "instances": instances(client, ec2, template, logical),
        "routes": routes(ec2, template, physical, logical),
        "gateways": gateways(ec2, physical["Vpc"]),
        "endpoints": endpoints(ec2, logical),
        "policies": policies(client("iam"), ec2, physical, logical),
        "managed": managed(client("iam"), physical),
        "inbound": rules(template, ec2, physical),
        "bucket": bucket(s3, physical["SessionLogBucket"], template),
        "log_group": retention(client("logs"), physical["SessionLogGroup"]),
        "document": document(client("ssm"), logical),
    }


def instances(client, ec2, template, logical):
    iam = client("iam")
    result = {}
    for reservation in ec2.describe_instances(
        Filters=[{"Name": "tag:aws:cloudformation:stack-name", "Values": [STACK]}]
    )["Reservations"]:
        for instance in reservation["Instances"]:
            name = logical[instance["InstanceId"]]
            volumes = ec2.describe_volumes(
                VolumeIds=[m["Ebs"]["VolumeId"] for m in instance["BlockDeviceMappings"]]
            )["Volumes"]
            profile = instance["IamInstanceProfile"]["Arn"].rsplit("/", 1)[-1]
            roles = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
            options = template["Resources"][name]["Properties"]["MetadataOptions"]
            result[name] = {
                "subnet": logical[instance["SubnetId"]],
                "role": [logical[r["RoleName"]] for r in roles],
                "key": instance.get("KeyName"),
                "image": instance["ImageId"] != "",
                "encrypted": [v["Encrypted"] for v in volumes],
                "metadata": [options["HttpTokens"], options["HttpPutResponseHopLimit"]],
            }
    return result


def routes(ec2, template, physical, logical):
    result = {}
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::EC2::SubnetRouteTableAssociation":
            continue
        subnet, table = (resource["Properties"][key]["Ref"] for key in ("SubnetId", "RouteTableId"))
        found = ec2.describe_route_tables(RouteTableIds=[physical[table]])["RouteTables"][0]["Routes"]
        result[subnet] = sorted(
            f"{r['DestinationCidrBlock']} {logical.get(r.get('NatGatewayId') or r.get('GatewayId'), 'local')}"
            for r in found
            if "DestinationCidrBlock" in r
        )
    return result


def gateways(ec2, vpc):
    internet = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])
    nat = ec2.describe_nat_gateways(Filter=[{"Name": "vpc-id", "Values": [vpc]}])
    return len(internet["InternetGateways"]) + len(nat["NatGateways"])


def endpoints(ec2, logical):
    return {
        logical[e["VpcEndpointId"]]: f"{e['VpcEndpointType']} {e['ServiceName']}"
        for e in ec2.describe_vpc_endpoints()["VpcEndpoints"]
        if e["VpcEndpointId"] in logical
    }


def policies(iam, ec2, physical, logical):
    """What roles and gateway endpoints really got: logical ids in place of names, `ACCOUNT` in place of the account."""

    def plain(document):
        text = document if isinstance(document, str) else json.dumps(document)
        for name, id in sorted(physical.items(), key=lambda pair: -len(pair[1])):
            if name.startswith("SessionLog") and not name.endswith("Policy"):
                text = text.replace(id, f"<{name}>")
        text = text.replace("123456789012", "ACCOUNT")
        # moto keeps what CloudFormation gave it as Python, not as JSON.
        return ast.literal_eval(text) if text.startswith("{'") else json.loads(text)

    result = {}
    for name, id in physical.items():
        if name.endswith("Role"):
            result[name] = [
                plain(iam.get_role_policy(RoleName=id, PolicyName=policy)["PolicyDocument"])
                for policy in iam.list_role_policies(RoleName=id)["PolicyNames"]
            ]
    for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]:
        if endpoint["VpcEndpointId"] in logical and endpoint["VpcEndpointType"] == "Gateway":
            result[logical[endpoint["VpcEndpointId"]]] = [plain(endpoint["PolicyDocument"])]
    return result


def attach(iam, template, physical):
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for entry in resource["Properties"].get("ManagedPolicyArns", []):
                arn = entry["Fn::Sub"] if isinstance(entry, dict) else entry
                # An ARN of no policy is an error.
                iam.attach_role_policy(RoleName=physical[name], PolicyArn=arn.replace("${AWS::Partition}", "aws"))


def managed(iam, physical):
    """The managed policies of roles: name, and how many actions their documents allow."""
    result = {}
    for name, id in physical.items():
        if name.endswith("Role"):
            found = iam.list_attached_role_policies(RoleName=id)["AttachedPolicies"]
            result[name] = {p["PolicyName"]: actions(iam, p["PolicyArn"]) for p in found}
    return result


def actions(iam, arn):
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    lists = [s["Action"] if isinstance(s["Action"], list) else [s["Action"]] for s in document["Statement"]]
    return len({action for one in lists for action in one})


def rules(template, ec2, physical):
    result = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::EC2::SecurityGroup":
            group = ec2.describe_security_groups(GroupIds=[physical[name]])["SecurityGroups"][0]
            result[name] = [
                f"{p['IpProtocol']} {p['FromPort']}-{p['ToPort']} {r['CidrIp']}"
                for p in group["IpPermissions"]
                for r in p["IpRanges"]
            ]
            outbound = resource["Properties"]["SecurityGroupEgress"]
            result[name + " out"] = [f"{r['IpProtocol']} {r['FromPort']}-{r['ToPort']} {r['CidrIp']}" for r in outbound]
    return result


def bucket(s3, name, template):
    encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
    made = template["Resources"]["SessionLogBucket"]
    policy = template["Resources"]["SessionLogBucketPolicy"]["Properties"]["PolicyDocument"]
    return {
        "encryption": encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "deletion": made["DeletionPolicy"],
        "versioning": made["Properties"]["VersioningConfiguration"]["Status"],
        "closed": sorted(made["Properties"]["PublicAccessBlockConfiguration"].values()),
        "refused": [s["Condition"] for s in policy["Statement"] if s["Effect"] == "Deny"],
        "days": [r["ExpirationInDays"] for r in made["Properties"]["LifecycleConfiguration"]["Rules"]],
    }


def retention(logs, name):
    return logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0].get("retentionInDays")


def document(ssm, logical):
    name = f"{STACK}-SessionPreferences"
    # As YAML, because moto's JSON of a document that was given as a mapping is not JSON.
    found = ssm.get_document(Name=name, DocumentFormat="YAML")
    inputs = yaml.safe_load(found["Content"])["inputs"]
    names = {k: logical.get(inputs[k], inputs[k]) for k in ("s3BucketName", "s3KeyPrefix", "cloudWatchLogGroupName")}
    return {"type": found["DocumentType"], "encrypted": str(inputs["s3EncryptionEnabled"]).lower(), **names}


if __name__ == "__main__":
    main(sys.argv[1], dict(a.split("=", 1) for a in sys.argv[2:]))
