//! What operators' calls show.

use policyc::ledger::{Sign, Target};
use serde_json::{Value, json};

use crate::made::{self, INSTANCE, one};

fn signs(event: &str, fields: Value) -> Vec<Sign> {
    let record = made::by("assumed-role/ops/alice", "e1", "ssm.amazonaws.com", event, fields);
    one(record.to_string().as_bytes()).ledger.signs.into_keys().collect()
}

/// The targets, the document and the details, as text.
fn check(event: &str, request: Value, response: Value, expected: &[&str]) {
    let found = signs(event, json!({"requestParameters": request, "responseElements": response}));
    let text = |sign: &Sign| {
        let target = match &sign.target {
            Target::Instance(id) => id.clone(),
            Target::Selected(text) => format!("<{text}>"),
        };
        let details: String = sign.details.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        format!("{target} {}{details}", sign.document)
    };
    assert_eq!(found.iter().map(text).collect::<Vec<_>>(), expected, "{event}");
    assert!(found.iter().all(|sign| sign.account == made::ACCOUNT && sign.region == "eu-west-1"));
    assert!(found.iter().all(|sign| sign.event == format!("ssm.amazonaws.com:{event}")));
}

#[test]
fn sessions() {
    check("StartSession", json!({"target": "i-1"}), json!({"sessionId": "alice-0"}), &["i-1  session-id=alice-0"]);
    let document = json!({"target": "i-1", "documentName": "AWS-StartPortForwardingSession"});
    check("StartSession", document, json!(null), &["i-1 AWS-StartPortForwardingSession"]);
    check(
        "ResumeSession",
        json!({"sessionId": "alice-0"}),
        json!({"sessionId": "alice-0"}),
        &["<session:alice-0>  session-id=alice-0"],
    );
    check("TerminateSession", json!({"sessionId": "a"}), json!(null), &["<session:a>  session-id=a"]);
    check("DescribeSessions", json!({"target": "i-1"}), json!(null), &[]);
}

#[test]
fn commands() {
    let name = "AWS-RunShellScript";
    check(
        "SendCommand",
        json!({"documentName": name, "instanceIds": ["i-1", "i-2"]}),
        json!(null),
        &["i-1 AWS-RunShellScript", "i-2 AWS-RunShellScript"],
    );
    check(
        "SendCommand",
        json!({"documentName": name, "targets": [{"key": "InstanceIds", "values": ["i-1"]}]}),
        json!(null),
        &["i-1 AWS-RunShellScript"],
    );
    check(
        "SendCommand",
        json!({"documentName": name, "targets": [{"key": "tag:Env", "values": ["a", "b"]}]}),
        json!(null),
        &["<tag:Env=a,b> AWS-RunShellScript"],
    );
    check(
        "SendCommand",
        json!({"documentName": name, "targets": [{"key": "InstanceIds", "values": ["*"]}]}),
        json!(null),
        &["<InstanceIds=*> AWS-RunShellScript"],
    );
    check("SendCommand", json!({"documentName": name}), json!(null), &["<not recorded> AWS-RunShellScript"]);
    let command = json!({"command": {"documentName": name, "instanceIds": ["i-1"], "outputS3BucketName": "b", "outputS3KeyPrefix": "p",
                                     "cloudWatchOutputConfig": {"cloudWatchLogGroupName": "", "cloudWatchOutputEnabled": false}}});
    check("SendCommand", json!(null), command, &["i-1 AWS-RunShellScript output-bucket=b output-prefix=p"]);
    let logs = |config: Value| json!({"documentName": name, "instanceIds": ["i-1"], "cloudWatchOutputConfig": config});
    check(
        "SendCommand",
        logs(json!({"cloudWatchLogGroupName": "/g", "cloudWatchOutputEnabled": true})),
        json!(null),
        &["i-1 AWS-RunShellScript output-log-group=/g"],
    );
    check(
        "SendCommand",
        logs(json!({"cloudWatchOutputEnabled": true})),
        json!(null),
        &["i-1 AWS-RunShellScript output-log-group=/aws/ssm/AWS-RunShellScript"],
    );
    let shared = "arn:aws:ssm:eu-west-1:111122223333:document/Shared-Run";
    check(
        "SendCommand",
        json!({"documentName": shared, "instanceIds": ["i-1"], "cloudWatchOutputConfig": {"cloudWatchOutputEnabled": true}}),
        json!(null),
        &[&format!("i-1 {shared} output-log-group=/aws/ssm/Shared-Run")],
    );
    check(
        "SendCommand",
        logs(json!({"cloudWatchLogGroupName": "/g", "cloudWatchOutputEnabled": false})),
        json!(null),
        &["i-1 AWS-RunShellScript"],
    );
    check(
        "SendCommand",
        json!({"documentName": name, "instanceIds": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
        json!(null),
        &["<not recorded> AWS-RunShellScript"],
    );
}

#[test]
fn associations() {
    let place = json!({"s3Location": {"outputS3BucketName": "b", "outputS3KeyPrefix": "p"}});
    let entry = json!({"name": "AWS-GatherSoftwareInventory", "targets": [{"key": "resource-groups:Name", "values": ["g"]}], "outputLocation": place});
    let expected = ["<resource-groups:Name=g> AWS-GatherSoftwareInventory output-bucket=b output-prefix=p"];
    check("CreateAssociation", entry.clone(), json!(null), &expected);
    check(
        "CreateAssociationBatch",
        json!({"entries": [entry, {"name": "D", "instanceId": "i-1"}]}),
        json!(null),
        &[expected[0], "i-1 D"],
    );
    let description = json!({"associationDescription": {"name": "D", "targets": [{"key": "InstanceIds", "values": ["i-1"]}]}});
    check("UpdateAssociation", json!({"associationId": "a"}), description, &["i-1 D"]);
}

#[test]
fn automations_count_where_they_name_an_instance() {
    check(
        "StartAutomationExecution",
        json!({"documentName": "D", "parameters": {"InstanceId": ["i-1"]}}),
        json!(null),
        &["i-1 D"],
    );
    check(
        "StartAutomationExecution",
        json!({"documentName": "D", "targets": [{"key": "ParameterValues", "values": ["i-1", "x"]}]}),
        json!(null),
        &["i-1 D"],
    );
    check(
        "StartAutomationExecution",
        json!({"documentName": "D", "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
        json!(null),
        &[],
    );
}

#[test]
fn who_signs() {
    let request = json!({"target": INSTANCE});
    assert!(signs("StartSession", json!({"requestParameters": request, "errorCode": "AccessDenied"})).is_empty(), "refused");
    assert!(
        signs("StartSession", json!({"requestParameters": request, "recipientAccountId": "999999999999"})).is_empty(),
        "another account"
    );
    let by = |who: &str| {
        let record = made::by(who, "e1", "ssm.amazonaws.com", "StartSession", json!({"requestParameters": request}));
        one(record.to_string().as_bytes()).ledger.signs.into_keys().next()
    };
    assert!(by(&format!("assumed-role/{}/{INSTANCE}", made::ROLE)).is_none(), "an instance is not its own operator");
    let bastion = by("assumed-role/bastion/i-0fedcba9876543210").unwrap();
    assert_eq!(bastion.details["caller-role"], "bastion");
    assert!(!format!("{:?}", by("assumed-role/ops/alice").unwrap()).contains("alice"), "operators are not named");
}

#[test]
fn heartbeats() {
    let check = |fields: Value, expected: Option<(&str, &str)>| {
        let record = made::call("e1", "ssm.amazonaws.com", "UpdateInstanceInformation", fields);
        let found: Vec<_> = one(record.to_string().as_bytes()).ledger.heartbeats.into_keys().collect();
        assert_eq!(found.first().map(|beat| (beat.agent_version.as_str(), beat.platform.as_str())), expected, "{record}");
    };
    let says = |id: &str, version: &str| json!({"requestParameters": {"instanceId": id, "agentVersion": version, "platformType": "Linux"}});
    check(says(INSTANCE, "3.3.40.0"), Some(("3.3.40.0", "Linux")));
    check(says(INSTANCE, "HIDDEN_DUE_TO_SECURITY_REASONS"), Some(("", "Linux")));
    check(says("i-0fedcba9876543210", "3.3.40.0"), None);
    check(json!({"requestParameters": null}), Some(("", "")));
    check(json!({"requestParameters": {"instanceId": INSTANCE}, "userAgent": "aws-cli/2"}), None);
    check(json!({"requestParameters": {"instanceId": INSTANCE}, "errorCode": "AccessDeniedException"}), None);
}
