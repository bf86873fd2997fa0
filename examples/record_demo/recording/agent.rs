//! What the SSM agents of the instances call by themselves, and what documents that run on them call.

use jiff::Timestamp;
use serde_json::json;

use super::labels;
use super::record::{Caller, Event, Record, instance};
use super::world::{ACCOUNT, AGENT, AGENT_VERSION, Instance, LOG_PREFIX, REGION};

/// The association that gathers the inventory.
pub(super) const INVENTORY: &str = "56f0c4a1-7d2e-4b93-a8c5-0e9d13b7f642";

/// The interpreter that `AWS-RunPatchBaseline` brings its scripts in.
const PATCH_SCRIPTS: &str = "Boto3/1.35.99 md/Botocore#1.35.99 ua/2.0 os/linux#6.12.46 md/arch#x86_64 lang/python#3.9.23";

fn ssm(time: Timestamp, on: &Instance, name: &'static str) -> Record {
    Record::new(time, "ssm", name, &instance(time, on, "ssm", AGENT))
}

fn instance_resource(on: &Instance) -> serde_json::Value {
    json!({"accountId": ACCOUNT, "ARN": on.arn()})
}

/// The agent reports that it is there. It does so every five minutes; the recording keeps one report of many.
pub(super) fn heartbeat(time: Timestamp, on: &Instance) -> Record {
    ssm(time, on, "UpdateInstanceInformation").request(json!({
        "instanceId": on.id,
        "agentVersion": AGENT_VERSION,
        "agentStatus": "Active",
        "platformType": "Linux",
        "platformName": "Amazon Linux",
        "platformVersion": "2023",
        "iPAddress": "HIDDEN_DUE_TO_SECURITY_REASONS",
        "computerName": on.host(),
        "agentName": "amazon-ssm-agent",
        "availabilityZone": format!("{REGION}a"),
        "availabilityZoneId": "use1-az2",
        "sSMConnectionChannel": "ssmmessages",
    }))
}

/// The first report after the start, with which the agent tries its credentials.
pub(super) fn first_report(time: Timestamp, on: &Instance) -> Event {
    let request = json!({
        "instanceId": on.id,
        "agentVersion": AGENT_VERSION,
        "platformType": "Linux",
        "agentName": "amazon-ssm-agent",
    });
    ssm(time, on, "UpdateInstanceInformation").request(request).event()
}

/// A report that was throttled; the agent tries again a little later.
pub(super) fn throttled(time: Timestamp, on: &Instance) -> Event {
    heartbeat(time, on).request(json!(null)).error("ThrottlingException", "Rate exceeded".to_owned()).event()
}

/// The channel that sessions and commands come through: made, then opened. Data events, which come from `ssm` although
/// the action belongs to `ssmmessages`.
pub(super) fn control_channel(time: Timestamp, on: &Instance) -> [Event; 2] {
    let record = |name: &'static str, time: Timestamp| {
        let caller = Caller { endpoint: on.origin("ssmmessages").1.map(str::to_owned), ..instance(time, on, "ssm", AGENT) };
        let record = Record::new(time, "ssm", name, &caller).data().host(format!("ssmmessages.{REGION}.amazonaws.com"));
        let request = json!({
            "channelId": on.id,
            "messageSchemaVersion": "1.0",
            "requestId": labels::uuid(&format!("channel {}", record.label())),
            "userAgent": AGENT,
        });
        record.request(request).resources(json!([{
            "accountId": ACCOUNT,
            "type": "AWS::SSMMessages::ControlChannel",
            "ARN": format!("arn:aws:ssmmessages:{REGION}:{ACCOUNT}:control-channel/{}", on.id),
        }]))
    };
    let created = record("CreateControlChannel", time).response(json!({
        "messageSchemaVersion": "1.0",
        "tokenValue": "Value hidden due to security reasons.",
        "url": format!("wss://ssmmessages.{REGION}.amazonaws.com/v1/control-channel/{}?role=subscribe&stream=input", on.id),
    }));
    let later = Timestamp::from_second(time.as_second() + 1).unwrap_or(time);
    [created.event(), record("OpenControlChannel", later).event()]
}

/// The agent asks what State Manager wants of it, whether it wants anything or not.
pub(super) fn associations(time: Timestamp, on: &Instance) -> Event {
    ssm(time, on, "ListInstanceAssociations")
        .read_only()
        .request(json!({"instanceId": on.id, "maxResults": 20}))
        .resources(json!([instance_resource(on)]))
        .event()
}

/// The inventory association runs: document, status, inventory, compliance, status.
pub(super) fn inventory(start: Timestamp, on: &Instance) -> Vec<Event> {
    let at = |seconds: i64| Timestamp::from_second(start.as_second() + seconds).unwrap_or(start);
    let status = |time: Timestamp, status: &str, summary: &str| {
        ssm(time, on, "UpdateInstanceAssociationStatus")
            .request(json!({
                "associationId": INVENTORY,
                "instanceId": on.id,
                "executionResult": {
                    "executionDate": written(time),
                    "status": status,
                    "executionSummary": summary,
                    "errorCode": "",
                },
            }))
            .resources(json!([
                {"accountId": ACCOUNT, "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:association/{INVENTORY}")},
                instance_resource(on),
            ]))
            .event()
    };
    let document = ssm(at(1), on, "GetDocument")
        .read_only()
        .request(json!({"name": "AWS-GatherSoftwareInventory", "documentVersion": "1"}))
        .event();
    let kinds = ["Network", "BillingInfo", "InstanceDetailedInformation", "Application", "AWSComponent"];
    vec![
        associations(start, on),
        document,
        status(at(2), "InProgress", "Executing association"),
        put_inventory(at(29), on, &kinds, AGENT),
        association_compliance(at(30), on),
        status(at(31), "Success", "1 out of 1 plugin processed, 1 success, 0 failed, 0 timedout, 0 skipped. "),
    ]
}

/// Inventory items of these types, without their content: the trail shows only what the items are.
fn put_inventory(time: Timestamp, on: &Instance, kinds: &[&str], agent: &str) -> Event {
    let items: Vec<_> = kinds
        .iter()
        .map(|kind| {
            json!({
                "typeName": format!("AWS:{kind}"),
                "schemaVersion": if *kind == "Application" { "1.1" } else { "1.0" },
                "captureTime": time.to_string(),
                "contentHash": labels::content_hash(&format!("{} {kind}", on.id)),
            })
        })
        .collect();
    Record::new(time, "ssm", "PutInventory", &instance(time, on, "ssm", agent))
        .request(json!({"instanceId": on.id, "items": items}))
        .resources(json!([
            instance_resource(on),
            {"accountId": ACCOUNT, "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:managed-instance-inventory/{}", on.id)},
        ]))
        .event()
}

fn association_compliance(time: Timestamp, on: &Instance) -> Event {
    ssm(time, on, "PutComplianceItems")
        .request(json!({
            "resourceId": on.id,
            "resourceType": "ManagedInstance",
            "complianceType": "Association",
            "executionSummary": {"executionTime": written(time), "executionId": "", "executionType": ""},
            "items": [{
                "id": INVENTORY,
                "title": "",
                "severity": "UNSPECIFIED",
                "status": "COMPLIANT",
                "details": {"DocumentVersion": "1", "DocumentName": "AWS-GatherSoftwareInventory"},
            }],
            "itemContentHash": labels::content_hash(&format!("compliance {}", on.id)),
        }))
        .event()
}

/// `AWS-RunPatchBaseline` runs: its scripts ask for the snapshot of the baseline and report inventory and compliance.
/// The snapshot and the scripts themselves come from buckets of AWS, which this trail does not watch.
pub(super) fn patching(start: Timestamp, on: &Instance, command: &str) -> Vec<Event> {
    let at = |seconds: i64| Timestamp::from_second(start.as_second() + seconds).unwrap_or(start);
    let script = |time: Timestamp, name: &'static str| Record::new(time, "ssm", name, &instance(time, on, "ssm", PATCH_SCRIPTS));
    let snapshot = script(at(6), "GetDeployablePatchSnapshotForInstance")
        .read_only()
        .request(json!({"instanceId": on.id, "snapshotId": labels::uuid(&format!("snapshot {command}"))}))
        .event();
    let compliance = script(at(312), "PutComplianceItems").request(json!({
        "resourceId": on.id,
        "resourceType": "ManagedInstance",
        "complianceType": "Patch",
        "executionSummary": {"executionTime": written(at(312)), "executionId": command, "executionType": "Command"},
        "items": [{
            "id": "kernel6.12.x86_64",
            "title": "kernel6.12.x86_64:0:6.12.55-74.119.amzn2023",
            "severity": "HIGH",
            "status": "COMPLIANT",
            "details": {"Classification": "Security", "InstalledTime": at(280).to_string(), "PatchState": "Installed"},
        }],
        "itemContentHash": labels::content_hash(&format!("patch compliance {}", on.id)),
        "uploadType": "COMPLETE",
    }));
    vec![snapshot, put_inventory(at(311), on, &["PatchSummary"], PATCH_SCRIPTS), compliance.event()]
}

/// A document that a command runs refers to parameters; the agent reads them.
pub(super) fn parameters(time: Timestamp, on: &Instance, names: &[&str]) -> Event {
    let resources: Vec<_> = names
        .iter()
        .map(|n| json!({"accountId": ACCOUNT, "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{n}")}))
        .collect();
    ssm(time, on, "GetParameters")
        .read_only()
        .request(json!({"names": names, "withDecryption": false}))
        .resources(json!(resources))
        .event()
}

/// The session's log stream, when the session starts.
pub(super) fn stream_log(start: Timestamp, on: &Instance, session: &str) -> Vec<Event> {
    let at = |seconds: i64| Timestamp::from_second(start.as_second() + seconds).unwrap_or(start);
    let group = on.stack.log_group;
    let logs = |time: Timestamp, name: &'static str| Record::new(time, "logs", name, &instance(time, on, "logs", AGENT));
    vec![
        logs(at(2), "DescribeLogGroups").read_only().request(json!({"logGroupNamePrefix": group})).event(),
        logs(at(2), "DescribeLogStreams")
            .read_only()
            .request(json!({"logGroupName": group, "logStreamNamePrefix": session}))
            .event(),
        logs(at(3), "CreateLogStream").request(json!({"logGroupName": group, "logStreamName": session})).event(),
    ]
}

/// The session's log object, when the session has ended. The agent looks first whether the bucket encrypts.
pub(super) fn upload_log(end: Timestamp, on: &Instance, session: &str, bytes: u32) -> [Event; 2] {
    let at = |seconds: i64| Timestamp::from_second(end.as_second() + seconds).unwrap_or(end);
    let bucket = on.stack.bucket;
    let host = format!("{bucket}.s3.{REGION}.amazonaws.com");
    let key = format!("{LOG_PREFIX}/{session}.log");
    let bucket_resource = json!({"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}")});

    let caller = instance(at(2), on, "s3", AGENT);
    let look = Record::new(at(2), "s3", "GetBucketEncryption", &caller).read_only().host(host.clone());
    let extra = transfer(look.label(), 0, 321, false);
    let look = look
        .request(json!({"bucketName": bucket, "Host": host, "encryption": ""}))
        .extra(extra)
        .resources(json!([bucket_resource]));

    let caller = instance(at(3), on, "s3", &format!("{AGENT} S3Manager"));
    let put = Record::new(at(3), "s3", "PutObject", &caller).data().host(host.clone());
    let extra = transfer(put.label(), bytes, 0, true);
    let put = put
        .request(json!({"bucketName": bucket, "Host": host, "key": key}))
        .response(json!({"x-amz-server-side-encryption": "AES256"}))
        .extra(extra)
        .resources(json!([{"type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::{bucket}/{key}")}, bucket_resource]));
    [look.event(), put.event()]
}

/// What S3 adds to its records about the transfer.
pub(super) fn transfer(label: &str, bytes_in: u32, bytes_out: u32, encrypted: bool) -> serde_json::Value {
    let mut extra = json!({
        "SignatureVersion": "SigV4",
        "CipherSuite": "TLS_AES_128_GCM_SHA256",
        "bytesTransferredIn": bytes_in,
    });
    if let Some(map) = extra.as_object_mut() {
        if encrypted {
            map.insert("SSEApplied".to_owned(), json!("Default_SSE_S3"));
        }
        map.insert("AuthenticationMethod".to_owned(), json!("AuthHeader"));
        map.insert("x-amz-id-2".to_owned(), json!(labels::s3_host(label)));
        map.insert("bytesTransferredOut".to_owned(), json!(bytes_out));
    }
    extra
}

/// A time as Systems Manager writes it into parameters.
fn written(time: Timestamp) -> String {
    time.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string()
}
