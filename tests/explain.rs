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
    check(&["s3:putobject"], 0, &["s3:PutObject", "granted, by ", "3 calls, 2026-11-16", "the folder that several names share"]);
    check(
        &["s3:PutObject", "arn:aws:s3:::ssm-demo-sessionlogbucket-q7w2m4xk9zpd/sessions/x"],
        0,
        &["on arn:aws:s3:::ssm-demo-sessionlogbucket-q7w2m4xk9zpd/sessions/x", "granted, by "],
    );
    check(&["s3:PutObject", "arn:aws:s3:::other/x"], 1, &["not granted\n", "granted on other resources only"]);
    check(&["ssm:GetParameters"], 0, &["the name as it was seen", "from somewhere else, so it counts for nothing"]);
    check(&["ssmmessages:OpenDataChannel"], 0, &["granted, by SsmMessages", "session-manager"]);
    check(&["iam:PassRole"], 1, &["not granted\n", "the baseline AmazonEC2RoleforSSM does not allow it"]);
    check(&["ds:CreateComputer"], 1, &["not granted\n"]);
    check(&["s3:Nothing"], 2, &["is not an action that the catalogue knows"]);
    check(&["s3:\u{1b}[31m"], 2, &["\\u{1b}"]);
}

#[test]
fn a_refused_call_is_told() {
    let (exit, text) = policyc(&["explain", "s3:GetObject", "arn:aws:s3:::other/x", "--stack", "demo"]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("VpceAccessDenied; events e7884c35-c6c1-49a9-a9f3-afe9809d2d72"), "{text}");
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
