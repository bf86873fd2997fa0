//! `policyc emit`: the same policy for Terraform and the CDK.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test says what is wrong by panicking

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

fn policyc(arguments: &[&str]) -> (i32, String) {
    let done =
        Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

/// A policy with everything in it, and texts that HCL has to escape.
fn everything() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Home", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/${aws:username}/*"],
         "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:PrincipalTag/a": ["x", "\"q\" \\ %{y} ${*} $5"]},
                       "Null": {"aws:TokenIssueTime": "false"}}},
        {"Effect": "Deny", "NotAction": ["iam:*"], "NotResource": ["arn:aws:s3:::a\n\u{202e}é#//"]}
    ]})
}

/// What Terraform's own reader makes of HCL, as far as this file uses it: the policy again.
fn read_back(text: &str) -> Value {
    let string = |line: &str| -> String {
        let line = line.trim().trim_end_matches(',');
        let inside = line.split_once(" = ").map_or(line, |(_, value)| value).trim();
        let json = inside.replace("%%{", "%{").replace("&{", "${");
        serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {inside}"))
    };
    let mut statements: Vec<Value> = Vec::new();
    let mut test = [String::new(), String::new()];
    let mut lists: Option<(String, Vec<String>)> = None;
    for line in text.lines().map(str::trim) {
        let word = line.split(' ').next().unwrap();
        match (word, &mut lists) {
            ("]", list) => {
                let (name, values) = list.take().unwrap();
                let statement = statements.last_mut().unwrap();
                match name.as_str() {
                    "actions" => statement["Action"] = json!(values),
                    "not_actions" => statement["NotAction"] = json!(values),
                    "resources" => statement["Resource"] = json!(values),
                    "not_resources" => statement["NotResource"] = json!(values),
                    _ => {
                        let one = if values.len() == 1 { json!(values[0]) } else { json!(values) };
                        statement["Condition"][&test[0]][&test[1]] = one;
                    }
                }
            }
            (_, Some((_, values))) => values.push(string(line)),
            ("statement", None) => statements.push(json!({})),
            ("sid", None) => statements.last_mut().unwrap()["Sid"] = json!(string(line)),
            ("effect", None) => statements.last_mut().unwrap()["Effect"] = json!(string(line)),
            ("test", None) => test[0] = string(line),
            ("variable", None) => test[1] = string(line),
            (name, None) if line.ends_with("= [") => lists = Some((name.to_owned(), Vec::new())),
            _ => {}
        }
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[test]
fn terraform_reads_the_same_policy() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.json");
    for (name, policy) in [
        ("everything", everything()),
        ("demo", serde_json::from_str(&fs::read_to_string("policies/demo/nat-instance.json").unwrap()).unwrap()),
    ] {
        fs::write(&file, policy.to_string()).unwrap();
        let (exit, text) = policyc(&["emit", file.to_str().unwrap(), "--format", "terraform", "--name", "web"]);
        assert_eq!(exit, 0, "{text}");
        assert_eq!(read_back(&text), policy, "{text}");
        assert!(text.is_ascii() || !text.contains('\u{202e}'), "{text}");
        insta::assert_snapshot!(name, text);
        formatted(home.path(), &text);
    }
}

/// `terraform fmt` leaves it as it is, where there is one.
fn formatted(home: &Path, text: &str) {
    fs::write(home.join("policy.tf"), text).unwrap();
    match Command::new("terraform").args(["fmt", "-check", "-diff", "policy.tf"]).current_dir(home).output() {
        Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout)),
        Err(_) => println!("not looked at: there is no `terraform` here"),
    }
}

#[test]
fn cdk_gets_a_document() {
    let (exit, text) = policyc(&["emit", "AmazonEC2RoleforSSM", "--format", "cdk"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, document["Version"].as_str(), document["Statement"].is_array()), (0, Some("2012-10-17"), true));
}

#[test]
fn what_has_no_spelling_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.json");
    fs::write(&file, everything().to_string().replace("s3:::b/", "s3:::b&{x}/")).unwrap();
    let policy = file.to_str().unwrap();
    for (arguments, code, line) in [
        (["emit", policy, "--format", "terraform", "--name", "web"], 2, "takes for a policy variable"),
        (["emit", policy, "--format", "terraform", "--name", "1 b"], 2, "is not a name in Terraform"),
        (["emit", "none.json", "--format", "cdk", "--name", "x"], 2, "neither a file"),
    ] {
        let (exit, text) = policyc(&arguments);
        assert_eq!(exit, code, "{text}");
        assert!(text.contains(line), "{text}");
    }
}
