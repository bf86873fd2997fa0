//! Other people's calls that show a feature of Systems Manager in use on an instance.
//!
//! Source of the parameters: AWS Systems Manager API Reference, the operations named below; CloudTrail writes their members
//! in lower camel case.

use std::collections::BTreeMap;

use serde_json::Value;

use super::record::Record;
use crate::ledger::{Sign, Target};

/// The operations that start or stop something on instances.
const OPERATIONS: [&str; 8] = [
    "CreateAssociation",
    "CreateAssociationBatch",
    "ResumeSession",
    "SendCommand",
    "StartAutomationExecution",
    "StartSession",
    "TerminateSession",
    "UpdateAssociation",
];

/// The event source of Systems Manager.
pub const SYSTEMS_MANAGER: &str = "ssm.amazonaws.com";

/// Whether an event may be a sign.
#[must_use]
pub fn is_sign(source: &str, name: &str) -> bool {
    source == SYSTEMS_MANAGER && OPERATIONS.contains(&name)
}

/// The signs in a call that succeeded: one for each target. `caller_role` is the role of an instance that made the call.
#[must_use]
pub fn signs(record: &Record, caller_role: Option<&str>) -> Vec<Sign> {
    let (request, response) = (&record.request_parameters, &record.response_elements);
    let parts: Vec<[&Value; 2]> = match record.event_name.as_str() {
        "CreateAssociationBatch" => list(at(request, "entries")).map(|entry| [entry, &Value::Null]).collect(),
        "CreateAssociation" | "UpdateAssociation" => vec![[request, at(response, "associationDescription")]],
        "SendCommand" => vec![[request, at(response, "command")]],
        _ => vec![[request, response]],
    };
    parts.into_iter().flat_map(|part| of_part(record, part, caller_role)).collect()
}

/// The signs of one request: what the request leaves out is looked up in the response.
fn of_part(record: &Record, places: [&Value; 2], caller_role: Option<&str>) -> Vec<Sign> {
    let find = |key: &str| places.iter().map(|place| words(at(place, key))).find(|text| !text.is_empty()).unwrap_or_default();
    let (name, document) = (find("name"), find("documentName"));
    let document = if document.is_empty() { name } else { document };
    let mut details = outputs(places, &document);
    let session = find("sessionId");
    let mut targets: Vec<Target> = places.iter().flat_map(|place| named_targets(place)).collect();
    match record.event_name.as_str() {
        // These name the session only; whose it is tells the `StartSession` with the same id.
        "ResumeSession" | "TerminateSession" => targets = vec![Target::Selected(format!("session:{session}"))],
        // An automation runs beside the instances unless it names one; what it runs on them is a `SendCommand` of its own.
        "StartAutomationExecution" => {}
        _ if targets.is_empty() => targets.push(Target::Selected("not recorded".to_owned())),
        _ => {}
    }
    targets.sort();
    targets.dedup();
    if !session.is_empty() {
        details.insert("session-id".to_owned(), session);
    }
    if let Some(role) = caller_role {
        details.insert("caller-role".to_owned(), role.to_owned());
    }
    let sign = |target| Sign {
        account: account(record).to_owned(),
        region: record.aws_region.clone(),
        event: format!("{}:{}", record.event_source, record.event_name),
        document: document.clone(),
        target,
        details: details.clone(),
    };
    targets.into_iter().map(sign).collect()
}

/// The account in which a call was made.
#[must_use]
pub fn account(record: &Record) -> &str {
    record.recipient_account_id.as_deref().or(record.user_identity.account_id.as_deref()).unwrap_or_default()
}

/// Where output goes: `outputS3BucketName` and `outputS3KeyPrefix` (for an association inside `outputLocation.s3Location`),
/// and the log group. Without a name the group is `/aws/ssm/DOCUMENT` (Systems Manager User Guide, "Configuring Amazon
/// CloudWatch Logs for Run Command"), the document's name also where the request has its ARN.
fn outputs(places: [&Value; 2], document: &str) -> BTreeMap<String, String> {
    let mut details = BTreeMap::new();
    let document = document.rsplit('/').next().unwrap_or(document);
    for place in places {
        let logs = at(place, "cloudWatchOutputConfig");
        let group = words(at(logs, "cloudWatchLogGroupName"));
        let enabled = at(logs, "cloudWatchOutputEnabled").as_bool().unwrap_or(!group.is_empty());
        let group = if group.is_empty() && !document.is_empty() { format!("/aws/ssm/{document}") } else { group };
        let s3 = [place, at(at(place, "outputLocation"), "s3Location")];
        let found = [
            ("output-bucket", s3.map(|place| words(at(place, "outputS3BucketName"))).concat()),
            ("output-prefix", s3.map(|place| words(at(place, "outputS3KeyPrefix"))).concat()),
            ("output-log-group", if enabled { group } else { String::new() }),
        ];
        for (key, value) in found.into_iter().filter(|(_, value)| !value.is_empty()) {
            details.entry(key.to_owned()).or_insert(value);
        }
    }
    details
}

/// The targets that a request or its response names.
fn named_targets(place: &Value) -> Vec<Target> {
    let one = ["target", "instanceId"].map(|key| words(at(place, key)));
    let automation = at(place, "parameters");
    let several = [at(place, "instanceIds"), at(automation, "InstanceId"), at(automation, "InstanceIds")];
    let ids = several.into_iter().flat_map(list).map(words).chain(one).filter(|id| !id.is_empty());
    let mut targets: Vec<Target> = ids.map(instance).collect();
    for target in list(at(place, "targets")) {
        let key = [words(at(target, "key")), words(at(target, "Key"))].concat();
        let values: Vec<String> = list(at(target, "values")).chain(list(at(target, "Values"))).map(words).collect();
        match key.as_str() {
            "InstanceIds" => targets.extend(values.into_iter().map(instance)),
            // What an automation's own parameter means is not known; managed nodes are told by their form.
            "ParameterValues" => targets.extend(values.into_iter().filter(|id| is_node(id)).map(Target::Instance)),
            _ => targets.push(Target::Selected(format!("{key}={}", values.join(",")))),
        }
    }
    if at(place, "targets").is_string() {
        targets.push(Target::Selected("not recorded".to_owned()));
    }
    targets
}

/// Whether this is the id of an instance or of a managed node.
fn is_node(id: &str) -> bool {
    id.starts_with("i-") || id.starts_with("mi-")
}

/// A target by id; `*` is every instance.
fn instance(id: String) -> Target {
    if id == "*" { Target::Selected("InstanceIds=*".to_owned()) } else { Target::Instance(id) }
}

/// A member of an object, `Null` where there is none.
fn at<'v>(value: &'v Value, key: &str) -> &'v Value {
    static NULL: Value = Value::Null;
    value.get(key).unwrap_or(&NULL)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Text, unless CloudTrail hides it.
fn words(value: &Value) -> String {
    value.as_str().filter(|text| *text != super::record::HIDDEN).unwrap_or_default().to_owned()
}
