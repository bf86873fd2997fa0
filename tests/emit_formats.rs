//! `policyc emit`: the same policy for Terraform and the CDK.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test says what is wrong by panicking

#[path = "support/node.rs"]
mod node;
#[path = "support/python.rs"]
mod python;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use policyc::emit::cdk::cdk;
use policyc::emit::terraform::terraform;
use policyc::iam::{Policy, everyone};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
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

/// What others read in emitted policies.
struct Read {
    formatted: String,
    terraform: Value,
    cdk: Value,
}

fn read(emitted: &[(String, Value)]) -> Vec<Read> {
    let input: Vec<Value> = emitted.iter().map(|(terraform, cdk)| json!({"terraform": terraform, "cdk": cdk})).collect();
    let mut child = node::node()
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emit/read.mjs"))
        .current_dir(node::packages("emit"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = json!(input).to_string();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(done.status.success());
    let results: Vec<Value> = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(results.len(), emitted.len());
    let one = |r: Value| Read {
        formatted: r["formatted"].as_str().unwrap().to_owned(),
        terraform: document(&r["read"]),
        cdk: r["cdk"].clone(),
    };
    results.into_iter().map(one).collect()
}

/// The document that the provider makes of a data source, in Terraform's JSON: there a text is a template, in which `$${` and
/// `%%{` stand for `${` and `%{`; the provider then makes `${` of `&{`.
fn document(read: &Value) -> Value {
    let Some(data) = read["data"]["aws_iam_policy_document"].as_object() else { panic!("{read}") };
    let data = &data.values().next().unwrap()[0];
    let text = |value: &Value| -> Value {
        let text = value.as_str().unwrap().replace("$${", "${").replace("%%{", "%{");
        json!(text.replace("&{", "${"))
    };
    let texts = |value: &Value| -> Value { value.as_array().unwrap().iter().map(text).collect() };
    let statement = |from: &Value| -> Value {
        let mut to = json!({});
        for (name, value) in from.as_object().unwrap() {
            match name.as_str() {
                "sid" => to["Sid"] = text(value),
                "effect" => to["Effect"] = text(value),
                "actions" => to["Action"] = texts(value),
                "not_actions" => to["NotAction"] = texts(value),
                "resources" => to["Resource"] = texts(value),
                "not_resources" => to["NotResource"] = texts(value),
                "principals" => {
                    assert_eq!(value, &json!([{"type": "*", "identifiers": ["*"]}]));
                    to["Principal"] = json!("*");
                }
                "condition" => {
                    for test in value.as_array().unwrap() {
                        let values = texts(&test["values"]);
                        let one = if values.as_array().unwrap().len() == 1 { values[0].clone() } else { values };
                        let (operator, key) = (text(&test["test"]), text(&test["variable"]));
                        to["Condition"][operator.as_str().unwrap()][key.as_str().unwrap()] = one;
                    }
                }
                other => panic!("`{other}`"),
            }
        }
        to
    };
    let version = data.get("version").map_or(json!("2012-10-17"), text);
    let statements: Vec<Value> = data["statement"].as_array().unwrap().iter().map(statement).collect();
    json!({"Version": version, "Statement": statements})
}

/// The CDK writes a list of one as a text, and sorts lists.
fn loose(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let sorted: BTreeSet<&str> = items.iter().map(|item| item.as_str().unwrap()).collect();
            if sorted.len() == 1 { json!(sorted.first()) } else { json!(sorted) }
        }
        Value::Array(items) => items.iter().map(loose).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), loose(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn terraform_and_the_cdk_read_the_same_policy() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.json");
    let file = file.to_str().unwrap();
    let of = |path: &str| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    let old = everything().to_string().replace("2012-10-17", "2008-10-17");
    let policies = [
        ("everything", everything()),
        ("demo", of("policies/demo/nat-instance.json")),
        ("old", serde_json::from_str(&old).unwrap()),
        ("endpoint", of("policies/demo/s3-endpoint.json")),
    ];
    let mut emitted = Vec::new();
    for (_, policy) in &policies {
        fs::write(file, policy.to_string()).unwrap();
        let (exit, text) = policyc(&["emit", file, "--format", "terraform", "--name", "web"]);
        assert_eq!(exit, 0, "{text}");
        let (exit, cdk) = policyc(&["emit", file, "--format", "cdk"]);
        assert_eq!(exit, 0, "{cdk}");
        let (exit, own) = policyc(&["emit", file, "--format", "json"]);
        assert_eq!((exit, &serde_json::from_str::<Value>(&own).unwrap()), (0, policy));
        emitted.push((text, serde_json::from_str(&cdk).unwrap()));
    }
    for (((name, policy), (text, cdk)), read) in policies.iter().zip(&emitted).zip(read(&emitted)) {
        assert_eq!(&read.terraform, policy, "{text}");
        assert_eq!(read.formatted, *text, "`terraform fmt` changes it");
        assert_eq!(loose(&read.cdk), loose(cdk));
        match *name {
            // The CDK knows one version only: what is no variable in the old one is none in the new one.
            "old" => {
                assert_eq!(cdk["Version"], "2012-10-17");
                assert_eq!(cdk["Statement"][0]["Resource"], json!(["arn:aws:s3:::b/${$}{aws:username}/*"]));
                assert!(cdk["Statement"][0]["Condition"].to_string().contains("${$}{*}"), "{cdk}");
            }
            _ => assert_eq!(cdk, policy),
        }
        assert!(!text.contains('\u{202e}'), "{text}");
        insta::assert_snapshot!(*name, text);
    }
}

/// Texts with everything that one of the languages takes for something else.
fn text() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "a",
        "B",
        "0",
        " ",
        "$",
        "$$",
        "${",
        "${aws:username}",
        "${aws:PrincipalTag/a, 'b'}",
        "${*}",
        "${$}",
        "%",
        "%%",
        "%{",
        "{",
        "}",
        "&",
        "\"",
        "\\",
        "\\n",
        "\n",
        "\r\n",
        "\t",
        "#",
        "//",
        "/*",
        "*",
        "?",
        ":",
        "é",
        "😀",
        "\u{202e}",
        "\u{1}",
        "\u{7f}",
        "<<EOT",
        "${Token[x.1]}",
        "'",
        ",",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 1..7).prop_map(|pieces| pieces.concat())
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 1..4)
}

fn statement() -> impl Strategy<Value = Value> {
    let action = prop::sample::select(&["s3:GetObject", "s3:*", "*", "ssm:Put*tem", "iam:PassRole"][..]);
    let operator = prop::sample::select(&["StringEquals", "StringLike", "ForAnyValue:StringNotLikeIfExists", "ArnLike"][..]);
    let condition = (operator, "[a-z]{1,4}:[a-zA-Z/]{1,6}", texts());
    let parts = (
        any::<[bool; 3]>(),
        "[a-zA-Z0-9]{0,6}",
        prop::collection::vec(action, 1..3),
        texts(),
        prop::collection::vec(condition, 0..4),
    );
    parts.prop_map(|([deny, all_actions, all_resources], sid, actions, resources, conditions)| {
        let mut statement = json!({"Effect": if deny { "Deny" } else { "Allow" }});
        if !sid.is_empty() {
            statement["Sid"] = json!(sid);
        }
        statement[if all_actions { "NotAction" } else { "Action" }] = json!(actions);
        statement[if all_resources { "NotResource" } else { "Resource" }] = json!(resources);
        for (operator, key, values) in conditions {
            statement["Condition"][operator][&key] = json!(values);
        }
        statement
    })
}

/// 200 policies, always the same ones; `PROPTEST_CASES` others.
#[test]
fn every_policy_is_read_as_it_was_or_refused() {
    let asked: Option<usize> = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    let mut runner = if asked.is_some() { TestRunner::default() } else { TestRunner::deterministic() };
    let strategy = (any::<bool>(), any::<bool>(), prop::collection::vec(statement(), 1..4));
    let (mut policies, mut emitted) = (Vec::new(), Vec::new());
    let mut refused = 0;
    while policies.len() < asked.unwrap_or(200) {
        let (modern, endpoint, statements) = strategy.new_tree(&mut runner).unwrap().current();
        let json = json!({"Version": if modern { "2012-10-17" } else { "2008-10-17" }, "Statement": statements});
        let policy = Policy::from_value(&json).unwrap();
        let Ok(imported) = cdk(&policy, endpoint) else {
            assert!(json.to_string().contains("${Token["), "{json}");
            refused += 1;
            continue;
        };
        match terraform(&policy, endpoint, "p") {
            Ok(text) => {
                let document = |policy: &Policy| if endpoint { everyone::write(policy) } else { policy.to_value() };
                emitted.push((text, imported));
                policies.push(document(&policy));
            }
            Err(_) => {
                assert!(json.to_string().contains("&{"), "{json}");
                refused += 1;
            }
        }
    }
    assert!(refused < policies.len() / 2, "{refused} were refused");
    for ((policy, (text, cdk)), read) in policies.iter().zip(&emitted).zip(read(&emitted)) {
        assert_eq!(&read.terraform, policy, "{text}");
        assert_eq!(read.formatted, *text, "`terraform fmt` changes it");
        assert_eq!(loose(&read.cdk), loose(cdk));
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
    let wild = home.path().join("wild.json");
    let wild = wild.to_str().unwrap();
    fs::write(wild, everything().to_string().replace("s3:GetObject", "ssm:Put?tem")).unwrap();
    let token = home.path().join("token.json");
    let token = token.to_str().unwrap();
    fs::write(token, everything().to_string().replace("${aws:username}", "${Token[x.1]}")).unwrap();
    for (arguments, code, line) in [
        (["emit", policy, "--format", "terraform", "--name", "web"], 2, "takes for a policy variable"),
        (["emit", policy, "--format", "terraform", "--name", "1 b"], 2, "is not a name in Terraform"),
        (["emit", wild, "--format", "cdk", "--name", "x"], 2, "does not take `ssm:Put?tem` as an action"),
        (["emit", token, "--format", "cdk", "--name", "x"], 2, "takes for a value of its own"),
        (["emit", "none.json", "--format", "cdk", "--name", "x"], 2, "neither a file"),
    ] {
        let (exit, text) = policyc(&arguments);
        assert_eq!(exit, code, "{text}");
        assert!(text.contains(line), "{text}");
    }
}
