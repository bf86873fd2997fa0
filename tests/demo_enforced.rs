//! The demo's policies on ministack, an emulator that enforces IAM: what was observed goes through, and what only the
//! baseline allowed is denied.

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

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use policyc::ledger::format;
use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Request, Value::One, evaluate};
use policyc::stack::StackDescription;
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

/// Calls that AmazonEC2RoleforSSM allows everywhere: on what is nobody's of the demo.
const FOREIGN: [(&str, &str); 12] = [
    ("cloudwatch:PutMetricData", "*"),
    ("ec2:DescribeInstanceStatus", "*"),
    ("logs:CreateLogGroup", "arn:aws:logs:us-east-1:111122223333:log-group:new"),
    ("logs:DescribeLogStreams", "arn:aws:logs:us-east-1:111122223333:log-group:payroll"),
    ("s3:AbortMultipartUpload", "arn:aws:s3:::payroll/2026/november.csv"),
    ("s3:GetBucketLocation", "arn:aws:s3:::payroll"),
    ("s3:GetEncryptionConfiguration", "arn:aws:s3:::payroll"),
    ("s3:GetObject", "arn:aws:s3:::payroll/2026/november.csv"),
    ("s3:ListBucket", "arn:aws:s3:::payroll"),
    ("s3:ListBucketMultipartUploads", "arn:aws:s3:::payroll"),
    ("s3:ListMultipartUploadParts", "arn:aws:s3:::payroll/2026/november.csv"),
    ("s3:PutObject", "arn:aws:s3:::payroll/2026/november.csv"),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Makes calls as an instance whose role has this policy, one answer a call.
fn call(policy: &Value, instance: &str, calls: &[(String, String)]) -> Vec<String> {
    let question = json!({
        "account": ACCOUNT,
        "region": REGION,
        "policy": policy,
        "session": instance,
        "calls": calls.iter().map(|(action, resource)| json!({"action": action, "resource": resource})).collect::<Vec<_>>(),
    });
    serde_json::from_value(python::on_ministack("enforce_policy.py", &question)).unwrap()
}

/// The events that were made with the instances' credentials from somewhere else, as the report names them.
fn elsewhere() -> BTreeSet<String> {
    let arguments = ["derive", "--stack", "demo", "--dry-run", "--format", "json"];
    let done = Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(repository()).output().unwrap();
    let reports: Value = serde_json::from_slice(&done.stdout).unwrap();
    let rows = reports.as_object().unwrap().values().flat_map(|report| report["suspicious"].as_array().unwrap());
    rows.map(|row| row["event"].as_str().unwrap().to_owned()).collect()
}

/// The distinct calls of one instance that passed authorisation, but for those from somewhere else.
fn observed(role: &str, instance: &str, elsewhere: &BTreeSet<String>) -> Vec<(String, String)> {
    let arguments = ["observe", "cfn/recording/AWSLogs", "--role", role, "-o", "-"];
    let done = Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(repository()).output().unwrap();
    let ledger = format::read(&done.stdout).unwrap();
    let own = ledger.uses.iter().filter(|(used, evidence)| {
        let stolen = evidence.samples.iter().all(|(_, event)| elsewhere.contains(event));
        used.session.name == instance && used.outcome.authorised() && !stolen
    });
    let calls: BTreeSet<(String, String)> = own.map(|(used, _)| (used.action.to_string(), used.resource.to_string())).collect();
    calls.into_iter().collect()
}

fn allowed(policy: &Document, action: &str, resource: &str) -> bool {
    let context = [("aws:requestedregion".to_owned(), One(REGION.to_owned()))].into();
    let request = Request { action: action.to_lowercase(), resource: resource.to_owned(), context };
    let policies = std::slice::from_ref(policy);
    [ArnReading::Whole, ArnReading::Segmented].iter().all(|reading| evaluate(policies, &request, *reading).is_allowed())
}

#[test]
fn observed_calls_succeed_and_foreign_ones_are_denied() {
    let description: StackDescription =
        serde_json::from_slice(&fs::read(repository().join("cfn/recording/stack.json")).unwrap()).unwrap();
    let baseline = fs::read(repository().join("policies/AmazonEC2RoleforSSM.json")).unwrap();
    let foreign: Vec<_> = FOREIGN.iter().map(|(action, resource)| ((*action).to_owned(), (*resource).to_owned())).collect();
    let elsewhere = elsewhere();
    assert!(!elsewhere.is_empty(), "the recording has a call with stolen credentials");
    let mut succeeded = BTreeSet::new();
    for (stack, logical_id, file) in [
        ("ssm-demo", "PublicInstanceRole", "public-instance"),
        ("ssm-demo", "NatInstanceRole", "nat-instance"),
        ("ssm-demo-privatelink", "PrivateLinkInstanceRole", "privatelink-instance"),
    ] {
        let role = &description.stacks[stack].roles[logical_id];
        let instance = role.instances.first().unwrap();
        let bytes = fs::read(repository().join(format!("policies/demo/{file}.json"))).unwrap();
        let policy = Document::read(&bytes).unwrap();
        let seen = observed(&role.name, instance, &elsewhere);
        assert!(seen.len() >= 5, "{logical_id}: {seen:?}");
        let calls: Vec<_> = seen.iter().chain(&foreign).cloned().collect();
        let answers = call(&serde_json::from_slice(&bytes).unwrap(), instance, &calls);
        for ((action, resource), answer) in calls.iter().zip(&answers) {
            println!("{logical_id} {action} on {resource}: {answer}");
            if seen.contains(&(action.clone(), resource.clone())) {
                assert!(allowed(&policy, action, resource), "{logical_id} lacks {action} on {resource}");
                assert_ne!(answer, "denied", "{logical_id} needs {action} on {resource}");
                if answer == "done" {
                    succeeded.insert(action.clone());
                }
            } else {
                assert!(!allowed(&policy, action, resource), "{logical_id} has {action} on {resource}");
                assert_eq!(answer, "denied", "{logical_id} must not have {action} on {resource}");
            }
        }
    }
    let told = ["logs:DescribeLogGroups", "logs:DescribeLogStreams", "s3:GetEncryptionConfiguration", "s3:PutObject"];
    assert!(told.iter().all(|action| succeeded.contains(*action)), "only {succeeded:?} succeeded");

    // Under the baseline the same calls are not denied: it is the policy that makes the difference.
    let answers = call(&serde_json::from_slice(&baseline).unwrap(), "i-0123456789abcdef0", &foreign);
    for ((action, resource), answer) in foreign.iter().zip(&answers) {
        assert_ne!(answer, "denied", "the baseline allows {action} on {resource}");
        assert_ne!(answer, "not tried", "{action}");
    }
}
