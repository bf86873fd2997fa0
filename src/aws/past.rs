//! The instances that have run with a role, those that are gone included: EC2 assumed the role for each of them, again and again.
//!
//! Source: Amazon EC2 User Guide, "IAM roles for Amazon EC2" (the session is named after the instance); AWS CloudTrail User Guide,
//! "CloudTrail userIdentity element" (`invokedBy`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::ledger::Session;
use crate::trail::Input;

/// The service that assumes the roles of instances.
const EC2: &str = "ec2.amazonaws.com";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Events {
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    cloud_trail_event: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Record {
    event_name: String,
    user_identity: Identity,
    request_parameters: Option<Parameters>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    invoked_by: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Parameters {
    role_arn: String,
    role_session_name: String,
}

/// The instances for which EC2 assumed roles, by the role's ARN; `inputs` are what event history gave for the roles.
///
/// # Errors
/// When an input cannot be read.
pub fn instances(inputs: &[Input<'_>]) -> std::io::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for input in inputs {
        let events: Events = serde_json::from_slice(&(input.open)()?)?;
        for event in &events.events {
            // Whatever is not such a record is another event about the role.
            let Ok(record) = serde_json::from_str::<Record>(&event.cloud_trail_event) else { continue };
            let Some(asked) = record.request_parameters else { continue };
            let session = Session { name: asked.role_session_name, ..no_session() };
            if record.event_name == "AssumeRole" && record.user_identity.invoked_by == EC2 && session.is_instance() {
                found.entry(asked.role_arn).or_default().insert(session.name);
            }
        }
    }
    Ok(found)
}

fn no_session() -> Session {
    Session { account: String::new(), role: String::new(), name: String::new(), ec2_delivered: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_ec2_began_for_instances() {
        let event = |name: &str, by: &str, session: &str| {
            let record = serde_json::json!({"eventName": name, "userIdentity": {"type": "AWSService", "invokedBy": by},
                "requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/web", "roleSessionName": session}});
            serde_json::json!({"EventId": "e", "CloudTrailEvent": record.to_string()})
        };
        let events = serde_json::json!({"Events": [
            event("AssumeRole", EC2, "i-0123456789abcdef0"),
            event("AssumeRole", "lambda.amazonaws.com", "i-0123456789abcdef1"),
            event("AssumeRole", EC2, "alice"),
            event("AttachRolePolicy", EC2, "i-0123456789abcdef2"),
            {"EventId": "e", "CloudTrailEvent": "{\"requestParameters\":null}"},
            {"EventId": "e", "CloudTrailEvent": "no record"},
        ]});
        let input = Input::new("x", || Ok(events.to_string().into_bytes()));
        let found = instances(&[input]).unwrap();
        let ids = BTreeSet::from(["i-0123456789abcdef0".to_owned()]);
        assert_eq!(found, BTreeMap::from([("arn:aws:iam::111122223333:role/web".to_owned(), ids)]));
    }
}
