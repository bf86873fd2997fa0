//! Records made for tests, and the short way to a ledger.

use std::collections::BTreeSet;
use std::io::Write;

use policyc::catalog::Catalog;
use policyc::trail::{Input, Interest, Observation, Options, TrailError, observe};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const ROLE: &str = "web-Role";
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";

pub(crate) fn catalog() -> &'static Catalog {
    Catalog::embedded()
}

/// A call of an instance of the role.
pub(crate) fn call(id: &str, source: &str, name: &str, fields: Value) -> Value {
    by(&format!("assumed-role/{ROLE}/{INSTANCE}"), id, source, name, fields)
}

/// A call of a session, written as in its ARN.
pub(crate) fn by(who: &str, id: &str, source: &str, name: &str, fields: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAEXAMPLE:x", "arn": format!("arn:aws:sts::{ACCOUNT}:{who}"),
            "accountId": ACCOUNT, "accessKeyId": "ASIAEXAMPLEEXAMPLE00",
            "sessionContext": {"sessionIssuer": {"type": "Role"}, "ec2RoleDelivery": "2.0"}
        },
        "eventTime": "2026-09-01T00:00:00Z", "eventSource": source, "eventName": name, "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7", "userAgent": "aws-sdk-go/1.55.5 (go1.22; linux) amazon-ssm-agent/",
        "requestParameters": null, "responseElements": null, "eventID": id, "readOnly": true, "eventType": "AwsApiCall",
        "managementEvent": true, "recipientAccountId": ACCOUNT, "eventCategory": "Management"
    });
    if let (Some(all), Value::Object(more)) = (record.as_object_mut(), fields) {
        all.extend(more);
    }
    record
}

/// `s3:GetObject` on one object: a data event.
pub(crate) fn get(id: &str, key: &str) -> Value {
    let resources = json!([{"type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::bucket/{key}")},
                           {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::bucket", "accountId": ACCOUNT}]);
    let request = json!({"bucketName": "bucket", "key": key, "Host": "bucket.s3.eu-west-1.amazonaws.com"});
    let fields = json!({"managementEvent": false, "eventCategory": "Data", "resources": resources, "requestParameters": request});
    call(id, "s3.amazonaws.com", "GetObject", fields)
}

/// The agent's report about itself.
pub(crate) fn heartbeat(id: &str) -> Value {
    let request = json!({"instanceId": INSTANCE, "agentVersion": "3.3.987.0", "platformType": "Linux"});
    call(id, "ssm.amazonaws.com", "UpdateInstanceInformation", json!({"requestParameters": request}))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn interest() -> Interest {
    Interest { account: Some(ACCOUNT.to_owned()), roles: BTreeSet::from([ROLE.to_owned()]) }
}

pub(crate) fn read(files: &[(&str, Vec<u8>)], options: &Options<'_>) -> Result<Observation, TrailError> {
    let inputs: Vec<Input<'_>> = files.iter().map(|(name, bytes)| Input::new(*name, || Ok(bytes.clone()))).collect();
    observe(&inputs, &interest(), catalog(), options)
}

/// One readable file.
pub(crate) fn one(bytes: &[u8]) -> Observation {
    read(&[("a/b/trail.json", bytes.to_vec())], &Options::default()).unwrap()
}
