//! Everything in the trail that is not the instances' own doing, or only looks like it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::agent::transfer;
use super::labels;
use super::record::{Caller, Event, Record, delivered_at, instance, role_session};
use super::world::{ACCOUNT, Deployed, Instance, LINKED, LOG_PREFIX, NAT, PUBLIC, REGION};

const SHELL_CLI: &str =
    "aws-cli/2.30.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.12.46-66.121.amzn2023.x86_64 md/arch#x86_64 lang/python#3.9.23";

/// EC2 fetches the credentials that it hands to an instance.
pub(super) fn delivery(time: Timestamp, to: &Instance) -> Event {
    let since = delivered_at(time);
    let service = "ec2.amazonaws.com";
    let caller = Caller {
        identity: json!({"type": "AWSService", "invokedBy": service}),
        address: service.to_owned(),
        agent: service.to_owned(),
        endpoint: None,
        console: false,
    };
    let role = format!("arn:aws:iam::{ACCOUNT}:role/{}", to.role);
    let session = role_session(to.role, to.id, since, true);
    let expires = Timestamp::from_second(since.as_second() + 6 * 3600 + 1500).unwrap_or(since);
    Record::new(since, "sts", "AssumeRole", &caller)
        .read_only()
        .request(json!({"roleArn": role, "roleSessionName": to.id}))
        .response(json!({
            "credentials": {
                "accessKeyId": session.get("accessKeyId"),
                "sessionToken": "EXAMPLETOKEN==",
                "expiration": expires.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string(),
            },
            "assumedRoleUser": {"assumedRoleId": session.get("principalId"), "arn": session.get("arn")},
        }))
        .resources(json!([{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": role}]))
        .event()
}

fn role_caller(role: &str, session: &str, since: Timestamp, address: &str, agent: &str) -> Caller {
    Caller {
        identity: role_session(role, session, since, false),
        address: address.to_owned(),
        agent: agent.to_owned(),
        endpoint: None,
        console: false,
    }
}

fn hour(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second().div_euclid(3600) * 3600).unwrap_or(time)
}

/// A function reads a session log: another role, the same bucket.
pub(super) fn log_reader(time: Timestamp, stack: &Deployed, session: &str, bytes: u32) -> [Event; 2] {
    const AGENT: &str = "Boto3/1.40.4 md/Botocore#1.40.4 ua/2.1 os/linux#5.10.244-267.968.amzn2.x86_64 md/arch#x86_64 \
                         lang/python#3.13.7 exec-env/AWS_Lambda_python3.13";
    let caller = role_caller("log-digest-Role-9XzLkQ2mBv4T", "log-digest", hour(time), "192.0.2.201", AGENT);
    let host = format!("{}.s3.{REGION}.amazonaws.com", stack.bucket);
    let key = format!("{LOG_PREFIX}/{session}.log");
    let get = Record::new(time, "s3", "GetObject", &caller).read_only().data().host(host.clone());
    let extra = transfer(get.label(), 0, bytes, true);
    let get = get.request(json!({"bucketName": stack.bucket, "Host": host, "key": key})).extra(extra).resources(json!([
        {"type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::{}/{key}", stack.bucket)},
        {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{}", stack.bucket)},
    ]));
    let stream = format!("{}/[$LATEST]{}", time.strftime("%Y/%m/%d"), labels::hex(&format!("stream {time}"), 32));
    let log = Record::new(time, "logs", "CreateLogStream", &caller)
        .request(json!({"logGroupName": "/aws/lambda/log-digest", "logStreamName": stream}));
    [log.event(), get.event()]
}

/// The delivery pipeline looks at the stacks and reads a parameter of its own.
pub(super) fn pipeline(time: Timestamp) -> [Event; 2] {
    const AGENT: &str = "aws-sdk-js/3.901.0 ua/2.1 os/linux#6.11.0-1018-azure lang/js md/nodejs#20.19.5";
    let caller = role_caller("github-deploy", "GitHubActions", hour(time), "192.0.2.140", AGENT);
    let stacks =
        Record::new(time, "cloudformation", "DescribeStacks", &caller).read_only().request(json!({"stackName": "ssm-demo"}));
    let parameter = Record::new(time, "ssm", "GetParameters", &caller)
        .read_only()
        .request(json!({"names": ["/prod/db/password"], "withDecryption": true}))
        .resources(json!([
            {"accountId": ACCOUNT, "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/prod/db/password")},
        ]));
    [stacks.event(), parameter.event()]
}

/// AWS Config looks at a log bucket, with its service-linked role.
pub(super) fn config(time: Timestamp, stack: &Deployed) -> Event {
    let service = "config.amazonaws.com";
    let role = "aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig";
    let mut caller = role_caller(role, "AWSConfig-Describe", hour(time), service, service);
    if let Some(map) = caller.identity.as_object_mut() {
        map.insert("invokedBy".to_owned(), json!(service));
    }
    let host = format!("{}.s3.{REGION}.amazonaws.com", stack.bucket);
    let look = Record::new(time, "s3", "GetBucketEncryption", &caller).read_only();
    let extra = transfer(look.label(), 0, 321, false);
    look.request(json!({"bucketName": stack.bucket, "Host": host, "encryption": ""}))
        .extra(extra)
        .resources(json!([
            {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{}", stack.bucket)},
        ]))
        .event()
}

/// Somebody in a session on the public instance tries what its role does not allow.
pub(super) fn refused_listing(time: Timestamp) -> Event {
    let caller = instance(time, &PUBLIC, "ssm", SHELL_CLI);
    let message = refused(&PUBLIC, "ssm:DescribeInstanceInformation", &format!("arn:aws:ssm:{REGION}:{ACCOUNT}:*"));
    Record::new(time, "ssm", "DescribeInstanceInformation", &caller).read_only().error("AccessDenied", message).event()
}

/// Somebody in a session on the NAT instance tries what its role does not allow. EC2 has an error code of its own.
pub(super) fn refused_instances(time: Timestamp) -> Event {
    let caller = instance(time, &NAT, "ec2", SHELL_CLI);
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{}/{}", NAT.role, NAT.id);
    let message = format!(
        "You are not authorized to perform this operation. User: {session} is not authorized to perform: \
         ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action"
    );
    Record::new(time, "ec2", "DescribeInstances", &caller)
        .read_only()
        .request(json!({"maxResults": 1000, "instancesSet": {}, "filterSet": {}}))
        .error("Client.UnauthorizedOperation", message)
        .event()
}

fn refused(on: &Instance, action: &str, resource: &str) -> String {
    format!(
        "User: arn:aws:sts::{ACCOUNT}:assumed-role/{}/{} is not authorized to perform: {action} on resource: {resource} \
         because no identity-based policy allows the {action} action",
        on.role, on.id
    )
}

/// The credentials of the public instance, used from a machine that is not the instance. The role allowed it.
pub(super) fn stolen(time: Timestamp) -> Event {
    const AGENT: &str = "aws-cli/2.27.50 md/awscrt#0.26.1 ua/2.1 os/linux#6.12.25-amd64 md/arch#x86_64 lang/python#3.13.3";
    let caller = Caller { address: "192.0.2.66".to_owned(), ..instance(time, &PUBLIC, "ssm", AGENT) };
    Record::new(time, "ssm", "GetParameters", &caller)
        .read_only()
        .request(json!({"names": ["/prod/db/password"], "withDecryption": true}))
        .resources(json!([
            {"accountId": ACCOUNT, "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/prod/db/password")},
        ]))
        .event()
}

/// The endpoint policy turns away a request for a bucket that it does not name: a record of the endpoint, not of S3.
pub(super) fn turned_away(time: Timestamp) -> Event {
    let caller = instance(time, &LINKED, "s3", SHELL_CLI);
    let value = json!({
        "eventVersion": "1.11",
        "userIdentity": caller.identity,
        "eventTime": time.to_string(),
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": REGION,
        "sourceIPAddress": caller.address,
        "errorCode": "VpceAccessDenied",
        "errorMessage": "The request was denied due to a VPC endpoint policy",
        "requestID": labels::s3_request(&format!("turned away {time}")),
        "eventID": labels::uuid(&format!("turned away {time}")),
        "eventType": "AwsVpceEvents",
        "recipientAccountId": ACCOUNT,
        "sharedEventID": labels::uuid(&format!("turned away, shared {time}")),
        "vpcEndpointId": caller.endpoint,
        "vpcEndpointAccountId": ACCOUNT,
        "eventCategory": "NetworkActivity",
    });
    Event { time, folder: "CloudTrail-NetworkActivity", value }
}

/// CloudTrail Insights noticed that the pipeline read parameters more often than usual: start and end.
pub(super) fn insight(start: Timestamp) -> [Event; 2] {
    let identity = format!("arn:aws:sts::{ACCOUNT}:assumed-role/github-deploy/GitHubActions");
    let record = |time: Timestamp, state: &str, statistics: Value| {
        let value = json!({
            "eventVersion": "1.09",
            "eventTime": time.to_string(),
            "awsRegion": REGION,
            "eventID": labels::uuid(&format!("insight {time}")),
            "eventType": "AwsCloudTrailInsight",
            "recipientAccountId": ACCOUNT,
            "sharedEventID": labels::uuid(&format!("insight shared {start}")),
            "insightDetails": {
                "state": state,
                "eventSource": "ssm.amazonaws.com",
                "eventName": "GetParameters",
                "insightType": "ApiCallRateInsight",
                "insightContext": {
                    "statistics": statistics,
                    "attributions": [{
                        "attribute": "userIdentityArn",
                        "insight": [{"value": identity, "average": 6.0}],
                        "baseline": [{"value": identity, "average": 0.0025}],
                    }],
                },
            },
            "eventCategory": "Insight",
        });
        Event { time, folder: "CloudTrail-Insight", value }
    };
    let end = Timestamp::from_second(start.as_second() + 240).unwrap_or(start);
    let mut statistics = json!({"baseline": {"average": 0.0025}, "insight": {"average": 6.0}});
    let begun = record(start, "Start", statistics.clone());
    if let Some(map) = statistics.as_object_mut() {
        map.insert("insightDuration".to_owned(), json!(4));
        map.insert("baselineDuration".to_owned(), json!(10_080));
    }
    [begun, record(end, "End", statistics)]
}
