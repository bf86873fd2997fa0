//! The demo templates: without findings in cfn-lint, and what they say when they are deployed on an emulator.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/python.rs"]
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const INTERNET: &str = "cfn/ssm-session-mgr-example.yaml";
const PRIVATELINK: &str = "cfn/ssm-session-mgr-privatelink-example.yaml";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Deploys a template with these parameters and compares one part of what came of it.
fn check(template: &str, parameters: &[&str], expected: &Value) {
    let script = root().join("tests/emulators/deploy_demo.py");
    let text = python::run(Command::new(python::python()).arg(script).arg(root().join(template)).args(parameters));
    let got: Value = serde_json::from_str(&text).unwrap();
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&got[key], value, "{key} of {template} {parameters:?}:\n{got:#}");
    }
}

fn instance(subnet: &str, role: &str) -> Value {
    json!({
        "subnet": subnet,
        "role": [role],
        "key": null,
        "image": true,
        "encrypted": [true],
        "metadata": ["required", 1],
    })
}

/// A policy file as the emulator shows the deployed policy: logical ids for names, `ACCOUNT` for the account.
fn policy(file: &str, stack: &str) -> Value {
    let read = |path: &str| -> Value { serde_json::from_slice(&std::fs::read(root().join(path)).unwrap()).unwrap() };
    let mut text = read(&format!("policies/demo/{file}.json")).to_string();
    for (id, name) in read("cfn/recording/stack.json")["stacks"][stack]["resources"].as_object().unwrap() {
        text = text.replace(name.as_str().unwrap(), &format!("<{id}>"));
    }
    json!([serde_json::from_str::<Value>(&text.replace("111122223333", "ACCOUNT")).unwrap()])
}

fn bucket() -> Value {
    json!({
        "encryption": "AES256",
        "deletion": "Retain",
        "versioning": "Enabled",
        "closed": [true, true, true, true],
        "refused": [{"Bool": {"aws:SecureTransport": "false"}}],
        "days": [{"Ref": "SessionLogRetentionDays"}],
    })
}

#[test]
fn cfn_lint_finds_nothing() {
    // Informational findings count as well.
    let mut command = Command::new(python::python().with_file_name("cfn-lint"));
    command.args(["--include-checks", "I", "--"]).args([root().join(INTERNET), root().join(PRIVATELINK)]);
    assert_eq!(python::run(&mut command), "");
}

#[test]
fn public_and_nat_subnets() {
    const CONSOLE: &str = "https://us-east-1.console.aws.amazon.com/systems-manager/session-manager";
    const COMMAND: &str = "aws ssm start-session --region us-east-1 --target";
    check(
        INTERNET,
        &[],
        &json!({
            "status": "CREATE_COMPLETE",
            "instances": {
                "PublicInstance": instance("PublicSubnet", "PublicInstanceRole"),
                "NatInstance": instance("PrivateSubnet", "NatInstanceRole"),
            },
            "routes": {
                "PublicSubnet": ["0.0.0.0/0 InternetGateway", "10.10.0.0/24 local"],
                "PrivateSubnet": ["0.0.0.0/0 NatGateway", "10.10.0.0/24 local"],
            },
            "gateways": 2,
            "endpoints": {},
            "policies": {
                "PublicInstanceRole": policy("public-instance", "ssm-demo"),
                "NatInstanceRole": policy("nat-instance", "ssm-demo"),
            },
            "inbound": {"InstanceSecurityGroup": [], "InstanceSecurityGroup out": ["tcp 443-443 0.0.0.0/0"]},
            "bucket": bucket(),
            "log_group": 30,
            "document": {
                "type": "Session",
                "encrypted": "true",
                "s3BucketName": "SessionLogBucket",
                "s3KeyPrefix": "sessions",
                "cloudWatchLogGroupName": "SessionLogGroup",
            },
            "outputs": {
                "SessionManagerConsole": format!("{CONSOLE}/sessions?region=us-east-1"),
                "PublicInstanceConsole": format!("{CONSOLE}/<PublicInstance>?region=us-east-1"),
                "NatInstanceConsole": format!("{CONSOLE}/<NatInstance>?region=us-east-1"),
                "PublicInstanceCommand": format!("{COMMAND} <PublicInstance> --document-name ssm-demo-SessionPreferences"),
                "NatInstanceCommand": format!("{COMMAND} <NatInstance> --document-name ssm-demo-SessionPreferences"),
                "SessionLogBucketName": "SessionLogBucket",
                "SessionLogGroupName": "SessionLogGroup",
            },
        }),
    );
}

#[test]
fn private_subnet_without_any_gateway() {
    check(
        PRIVATELINK,
        &["SessionLogRetentionDays=7"],
        &json!({
            "status": "CREATE_COMPLETE",
            "instances": {"PrivateLinkInstance": instance("PrivateSubnet", "PrivateLinkInstanceRole")},
            "routes": {"PrivateSubnet": ["10.20.0.0/24 local"]},
            "gateways": 0,
            "endpoints": {
                "SsmEndpoint": "Interface com.amazonaws.us-east-1.ssm",
                "SsmMessagesEndpoint": "Interface com.amazonaws.us-east-1.ssmmessages",
                "LogsEndpoint": "Interface com.amazonaws.us-east-1.logs",
                "S3Endpoint": "Gateway com.amazonaws.us-east-1.s3",
            },
            "policies": {
                "PrivateLinkInstanceRole": policy("privatelink-instance", "ssm-demo-privatelink"),
                "S3Endpoint": policy("s3-endpoint", "ssm-demo-privatelink"),
            },
            "inbound": {
                "InstanceSecurityGroup": [],
                "InstanceSecurityGroup out": ["tcp 443-443 0.0.0.0/0"],
                "EndpointSecurityGroup": ["tcp 443-443 10.20.0.0/24"],
                "EndpointSecurityGroup out": ["tcp 443-443 127.0.0.1/32"],
            },
            "bucket": bucket(),
            "log_group": 7,
            "document": {
                "type": "Session",
                "encrypted": "true",
                "s3BucketName": "SessionLogBucket",
                "s3KeyPrefix": "sessions",
                "cloudWatchLogGroupName": "SessionLogGroup",
            },
        }),
    );
}

#[test]
fn without_session_logging() {
    let off = ["LogSessionsToS3=false", "LogSessionsToCloudWatch=false"];
    let document =
        json!({"type": "Session", "encrypted": "true", "s3BucketName": "", "s3KeyPrefix": "", "cloudWatchLogGroupName": ""});
    check(INTERNET, &off, &json!({"status": "CREATE_COMPLETE", "document": document}));
    let endpoints = json!({
        "SsmEndpoint": "Interface com.amazonaws.us-east-1.ssm",
        "SsmMessagesEndpoint": "Interface com.amazonaws.us-east-1.ssmmessages",
        "S3Endpoint": "Gateway com.amazonaws.us-east-1.s3",
    });
    check(PRIVATELINK, &off, &json!({"status": "CREATE_COMPLETE", "document": document, "endpoints": endpoints}));
}
