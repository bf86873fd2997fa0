//! `policyc explain`: granted or not, by which statement, because of what.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test says what is wrong by panicking

use std::process::Command;

use serde_json::Value;

fn policyc(arguments: &[&str]) -> (i32, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_policyc"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

const TRAIL: [&str; 4] = ["--trail", "cfn/recording/AWSLogs", "--role", "ssm-demo-PublicInstanceRole-4RkT9wLx2ZcQ"];

#[test]
fn actions_are_explained() {
    let check = |question: &[&str], code: i32, lines: &[&str]| {
        let (exit, text) = policyc(&[&["explain"], question, &TRAIL].concat());
        assert_eq!(exit, code, "{question:?}\n{text}");
        for line in lines {
            assert!(text.contains(line), "{question:?}: {line}\n{text}");
        }
    };
    check(
        &["s3:putobject"],
        0,
        &["s3:PutObject", "granted, by ", "3 calls, 2026-11-16", "the folder that the names seen have in common"],
    );
    check(
        &["s3:PutObject", "arn:aws:s3:::ssm-demo-sessionlogbucket-q7w2m4xk9zpd/sessions/x"],
        0,
        &["on arn:aws:s3:::ssm-demo-sessionlogbucket-q7w2m4xk9zpd/sessions/x", "granted, by "],
    );
    check(&["s3:PutObject", "arn:aws:s3:::other/x"], 1, &["not granted\n", "granted on other resources only"]);
    check(&["ssm:GetParameters"], 0, &["the name as it was seen", "from somewhere else, so it counts for nothing"]);
    check(
        &["ssmmessages:OpenDataChannel"],
        0,
        &[
            "granted, by SsmMessages",
            "CloudTrail does not show a use (",
            "features in use that need it\n    session-manager (",
            "https://docs.aws.amazon.com/",
        ],
    );
    check(&["iam:PassRole"], 1, &["not granted\n", "the baseline AmazonEC2RoleforSSM does not allow it"]);
    check(
        &["ds:CreateComputer"],
        1,
        &[
            "not granted\n",
            "looked at\n",
            "shows a use as a management event: ds.amazonaws.com:CreateComputer",
            "calls of the one instance of the role were looked at, 2026-11-16T",
            "features that would need it, and are not in use\n    domain-join: ",
            "https://docs.aws.amazon.com/",
        ],
    );
    check(
        &["s3:Get*"],
        2,
        &["`s3:Get*` is a pattern", "ask for one: `s3:GetBucketLocation`, `s3:GetEncryptionConfiguration`, `s3:GetObject`\n"],
    );
    check(&["nothing:*"], 2, &["no action that the catalogue knows matches it"]);
    check(&["s3:Nothing"], 2, &["is not an action that the catalogue knows"]);
    check(&["s3:\u{1b}[31m"], 2, &["\\u{1b}"]);
}

/// A baseline on which the policy has to be coarser, because IAM's limit is near.
#[test]
fn a_coarser_resource_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trail.json");
    let record = |n: usize| {
        serde_json::json!({
            "eventVersion": "1.09", "eventID": format!("00000000-0000-4000-8000-{n:012}"), "eventType": "AwsApiCall",
            "eventTime": format!("2026-11-16T{:02}:{:02}:00Z", n / 60, n % 60), "eventSource": "ssm.amazonaws.com",
            "eventName": "GetParameters", "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7", "userAgent": "aws-sdk-go",
            "recipientAccountId": "111122223333", "managementEvent": true, "readOnly": true, "eventCategory": "Management",
            "requestParameters": {"names": [format!("/team-{}/{}/{n}", n % 40, "x".repeat(120))]}, "responseElements": null,
            "userIdentity": {
                "type": "AssumedRole", "principalId": "AROAEXAMPLEEXAMPLE:i-0123456789abcdef0", "accountId": "111122223333",
                "arn": "arn:aws:sts::111122223333:assumed-role/web-Role/i-0123456789abcdef0",
                "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/web-Role",
                    "userName": "web-Role", "accountId": "111122223333", "principalId": "AROAEXAMPLEEXAMPLE"},
                    "ec2RoleDelivery": "2.0"}
            }
        })
    };
    let records: Vec<Value> = (0..200).map(record).collect();
    std::fs::write(&path, serde_json::json!({"Records": records}).to_string()).unwrap();
    let (exit, text) = policyc(&["explain", "ssm:GetParameters", "--trail", path.to_str().unwrap(), "--role", "web-Role"]);
    assert_eq!(exit, 0, "{text}");
    assert!(
        text.contains("coarser than what was seen\n") && text.contains("to stay within the size limit (coarser-resource)"),
        "{text}"
    );
}

#[test]
fn a_refused_call_is_told() {
    let (exit, text) = policyc(&["explain", "s3:GetObject", "arn:aws:s3:::other/x", "--stack", "demo"]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("VpceAccessDenied; event e7884c35-c6c1-49a9-a9f3-afe9809d2d72"), "{text}");
}

#[test]
fn what_people_and_programs_see() {
    let (_, text) = policyc(&["explain", "s3:PutObject", "--stack", "demo"]);
    insta::assert_snapshot!("text", text);
    let (exit, text) = policyc(&[&["explain", "s3:PutObject", "--format", "json"][..], &TRAIL].concat());
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(exit, 0);
    assert_eq!(all[0]["schema"], 1);
    assert_eq!(all[0]["granted"], true);
    assert_eq!(all[0]["verdict"], "used");
    assert_eq!(all[0]["evidence"]["calls"], 3);
    assert_eq!(all[0]["catalogue"]["access_level"], "Write");
}
