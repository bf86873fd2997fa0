//! The demo templates: without findings in cfn-lint, and what they say when they are deployed on emulators, as they were
//! before policyc and as they are.

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

use policyc::emit::{Ejection, eject};
use serde_json::{Value, json};
use tempfile::TempDir;

const INTERNET: &str = "cfn/ssm-session-mgr-example.yaml";
const PRIVATELINK: &str = "cfn/ssm-session-mgr-privatelink-example.yaml";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Deploys a template with these parameters and compares one part of what came of it.
fn check(template: &str, parameters: &[&str], expected: &Value) {
    let script = root().join("tests/emulators/deploy_demo.py");
    // Of an absolute path, joining gives that path.
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

/// A template as it was before policyc: the managed policy attached, and the endpoint with what it let through then.
fn before(folder: &TempDir, template: &str, roles: &[&str]) -> PathBuf {
    let mut bytes = std::fs::read(root().join(template)).unwrap();
    for role in roles {
        let ejection = Ejection {
            role: (*role).to_owned(),
            policy_name: "policyc".to_owned(),
            managed: "service-role/AmazonEC2RoleforSSM".to_owned(),
        };
        bytes = eject(&bytes, &ejection).unwrap().bytes;
    }
    let path = folder.path().join(Path::new(template).file_name().unwrap());
    std::fs::write(&path, bytes).unwrap();
    if template == PRIVATELINK {
        let mut inject = Command::new(env!("CARGO_BIN_EXE_policyc"));
        inject.arg("inject").arg(root().join("policies/demo/s3-endpoint.baseline.json")).arg(&path);
        python::run(inject.args(["--endpoint", "S3Endpoint", "--account", "111122223333", "--region", "us-east-1"]));
    }
    path
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
            "managed": {"PublicInstanceRole": {}, "NatInstanceRole": {}},
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
            "managed": {"PrivateLinkInstanceRole": {}},
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

/// The 41 actions are those of AmazonEC2RoleforSSM.
#[test]
fn before_policyc_the_managed_policy_is_attached_and_all_else_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let managed = json!({"AmazonEC2RoleforSSM": 41});
    let internet = before(&folder, INTERNET, &["PublicInstanceRole", "NatInstanceRole"]);
    check(
        internet.to_str().unwrap(),
        &[],
        &json!({
            "status": "CREATE_COMPLETE",
            "instances": {
                "PublicInstance": instance("PublicSubnet", "PublicInstanceRole"),
                "NatInstance": instance("PrivateSubnet", "NatInstanceRole"),
            },
            "gateways": 2,
            "policies": {"PublicInstanceRole": [], "NatInstanceRole": []},
            "managed": {"PublicInstanceRole": managed, "NatInstanceRole": managed},
            "bucket": bucket(),
        }),
    );
    let privatelink = before(&folder, PRIVATELINK, &["PrivateLinkInstanceRole"]);
    let baseline = std::fs::read(root().join("policies/demo/s3-endpoint.baseline.json")).unwrap();
    let baseline: Value = serde_json::from_slice(&baseline).unwrap();
    // What policyc writes has lists.
    let mut through: Value = serde_json::from_str(&baseline.to_string().replace("111122223333", "ACCOUNT")).unwrap();
    for statement in through["Statement"].as_array_mut().unwrap() {
        for key in ["Action", "Resource"] {
            if statement[key].is_string() {
                statement[key] = json!([statement[key]]);
            }
        }
    }
    check(
        privatelink.to_str().unwrap(),
        &[],
        &json!({
            "status": "CREATE_COMPLETE",
            "instances": {"PrivateLinkInstance": instance("PrivateSubnet", "PrivateLinkInstanceRole")},
            "gateways": 0,
            "policies": {"PrivateLinkInstanceRole": [], "S3Endpoint": [through]},
            "managed": {"PrivateLinkInstanceRole": managed},
        }),
    );
}

/// Deploys the roles of a template as they were, updates them to what they are, and compares what they have.
fn check_update(template: &str, stack: &str, roles: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<&str> = roles.iter().map(|(role, _)| *role).collect();
    let mut reader = Command::new(python::python());
    reader.arg(root().join("tests/template_reader.py")).arg(before(&folder, template, &ids)).arg(root().join(template));
    let parsed = python::run(&mut reader);
    let [then, now] = parsed.lines().collect::<Vec<_>>()[..] else { panic!("{parsed}") };
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let account = "111122223333";
    let question = json!({"account": account, "region": "us-east-1", "before": parse(then), "after": parse(now)});
    let got = python::on_ministack("update_roles.py", &question);
    let arn = "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM";
    let (mut before, mut after) = (json!({}), json!({}));
    for (role, file) in roles {
        before[role] = json!({"managed": [arn], "inline": {}});
        let proved: Value = parse(&policy(file, stack)[0].to_string().replace("ACCOUNT", account));
        after[role] = json!({"managed": [], "inline": {"policyc": proved}});
    }
    assert_eq!(got, json!({"before": before, "after": after}), "{got:#}");
}

#[test]
fn an_update_takes_the_managed_policy_away_and_gives_the_proved_one() {
    check_update(INTERNET, "ssm-demo", &[("PublicInstanceRole", "public-instance"), ("NatInstanceRole", "nat-instance")]);
    check_update(PRIVATELINK, "ssm-demo-privatelink", &[("PrivateLinkInstanceRole", "privatelink-instance")]);
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
