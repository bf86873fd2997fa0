//! What people and programs see of an endpoint: reports, explanations, differences.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::copied::{Copy, POLICY, TEMPLATE, said, shown};

const BUCKET: &str = "arn:aws:s3:::ssm-demo-privatelink-sessionlogbucket-h3n8r5tj1vcy";
const ID: &str = "PrivateLinkInstanceRole";

/// A demo whose endpoint lets less through than the role needs: two warnings.
fn narrow() -> Copy {
    let demo = Copy::new();
    demo.edit("policyc.toml", "/privatelink-instance.json\"", "/privatelink-instance.json\"\nneeds = [\"patching\"]");
    demo.set_policy(Some(&json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": [BUCKET, format!("{BUCKET}/*")]}]})));
    demo
}

#[test]
fn programs_get_the_policy_with_what_was_proved() {
    let demo = Copy::new();
    let done = demo.policyc("derive --stack demo --report report.json");
    assert!(done.status.success(), "{}", said(&done));
    let endpoints = demo.json("report.json")[ID]["endpoints"].clone();
    assert_eq!(endpoints.as_array().unwrap().len(), 1, "{endpoints}");
    let one = &endpoints[0];
    assert_eq!(one["policy"], demo.json(POLICY));
    assert_eq!(one["certificate"], demo.json("policies/demo/s3-endpoint.certificate.json"));
    let proved = |key: &str| one["proof"][key]["verdict"].clone();
    assert_eq!([&one["proof"]["within_baseline"], &proved("covers_observed"), &proved("covers_grants")], [&json!("proved"); 3]);
    assert_eq!(one["because"]["S3SessionLogBucketBucket"], json!(["PrivateLinkInstanceRole: seen in the trail"]));
    let printed = |command: &str| -> Json { serde_json::from_slice(&demo.policyc(command).stdout).unwrap() };
    assert_eq!(printed("derive --stack demo --dry-run --format json")[ID]["endpoints"], endpoints);
    // `report` says in addition where the policy stands.
    let mut reported = printed("report --stack demo --format json")[ID]["endpoints"].clone();
    let places = reported[0]["places"].take();
    reported[0]["places"] = json!([]);
    assert_eq!(reported, endpoints);
    let files: Vec<&Json> = places.as_array().unwrap().iter().map(|place| &place["file"]).collect();
    assert_eq!(files, [TEMPLATE, POLICY]);
    let line = places[0]["line"].as_u64().unwrap() as usize;
    assert_eq!(demo.text(TEMPLATE).lines().nth(line - 1), Some("      PolicyDocument:"));
}

#[test]
fn findings_point_at_the_policy_in_the_template() {
    let demo = narrow();
    let log: Json = serde_json::from_slice(&demo.policyc("report --stack demo --format sarif").stdout).unwrap();
    let all = log["runs"][0]["results"].as_array().unwrap();
    let own: Vec<&Json> = all.iter().filter(|r| r["message"]["text"].as_str().unwrap().starts_with("S3Endpoint: ")).collect();
    assert!(own.iter().filter(|r| r["ruleId"] == "endpoint-narrower").count() >= 2, "{own:#?}");
    for result in own {
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], TEMPLATE);
        let line = place["region"]["startLine"].as_u64().unwrap() as usize;
        assert!(demo.text(TEMPLATE).lines().nth(line - 1).unwrap().starts_with("      PolicyDocument: "), "line {line}");
    }
    let github = shown(&demo.policyc("report --stack demo --format github"));
    assert!(github.contains("title=policyc endpoint-narrower::S3Endpoint: "), "{github}");
}

#[test]
fn a_report_is_no_better_than_its_endpoints() {
    let demo = narrow();
    for (format, line) in [("markdown", "- **warning `endpoint-narrower`** "), ("html", "<code>endpoint-narrower</code>")] {
        let text = shown(&demo.policyc(&format!("report --stack demo --format {format}")));
        assert!(text.contains("Proved, with warnings") && text.contains(line), "{text}");
    }
    demo.edit(TEMPLATE, "com.amazonaws.${AWS::Region}.s3", "com.amazonaws.${AWS::Region}.dynamodb");
    for format in ["markdown", "html"] {
        let text = shown(&demo.policyc(&format!("report --stack demo --format {format}")));
        assert!(text.contains("Not proved") && text.contains("endpoint-unused"), "{text}");
    }
    let text = shown(&demo.policyc("report --stack demo"));
    assert!(text.contains("\nendpoint S3Endpoint\n") && text.contains("error endpoint-unused no role behind"), "{text}");
}

#[test]
fn an_endpoint_of_two_roles_is_shown_once() {
    let demo = Copy::new();
    demo.configure("roles = [\"PrivateLinkInstanceRole\", \"NatInstanceRole\"]", "[[stack.demo.role]]\nstack = \"ssm-demo\"\nlogical-id = \"NatInstanceRole\"\npolicy = \"policies/demo/nat-instance.json\"\n");
    demo.set_policy(None);
    for (command, once) in [
        ("report --stack demo", "\nendpoint S3Endpoint\n"),
        ("derive --stack demo --dry-run", "\nendpoint S3Endpoint\n"),
        ("report --stack demo --format markdown", "### VPC endpoint <code>S3Endpoint</code>\n"),
        ("report --stack demo --format html", "VPC endpoint S3Endpoint</h2>"),
    ] {
        let text = shown(&demo.policyc(command));
        assert_eq!(text.matches(once).count(), 1, "{command}: {text}");
        assert!(text.contains("2 roles and 1 endpoint") || !command.contains("format"), "{text}");
    }
    let reports: Json = serde_json::from_slice(&demo.policyc("report --stack demo --format json").stdout).unwrap();
    assert_eq!(reports["NatInstanceRole"]["endpoints"], reports[ID]["endpoints"]);
}

#[test]
fn explanations_tell_what_the_endpoint_says() {
    let demo = Copy::new();
    let check = |question: &str, code: i32, line: &str| {
        let done = demo.policyc(&format!("explain {question} --stack demo"));
        assert_eq!(done.status.code(), Some(code), "{}", shown(&done));
        assert!(shown(&done).contains(line), "{}", shown(&done));
    };
    const WAY: &str = "on the way through the VPC endpoint S3Endpoint\n    ";
    check(
        "s3:PutObject",
        0,
        &format!("{WAY}let through, by S3SessionLogBucketObjects\n      PrivateLinkInstanceRole: seen in the trail\n"),
    );
    check("s3:GetObject", 1, &format!("{WAY}let through, by PackageRepositories\n      packages of Amazon Linux 2023"));
    check(&format!("s3:PutObject {BUCKET}/other"), 1, &format!("{WAY}not let through"));
    let other = demo.policyc("explain ssm:UpdateInstanceInformation --stack demo");
    assert!(!shown(&other).contains("VPC endpoint"), "{}", shown(&other));
    let json: Json = serde_json::from_slice(&demo.policyc("explain s3:PutObject --stack demo --format json").stdout).unwrap();
    let want = json!({"endpoint": "S3Endpoint", "lets_through": true, "statements": ["S3SessionLogBucketObjects"],
        "because": ["PrivateLinkInstanceRole: seen in the trail", "PrivateLinkInstanceRole: session-log-s3: the log of a session is uploaded when it ends"]});
    assert_eq!(json[0]["endpoints"], json!([want]));
}

fn git(demo: &Copy, command: &str) {
    let own = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let done = Command::new("git").args(own).args(command.split(' ')).current_dir(demo.0.path()).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
}

#[test]
fn what_changed_is_told_of_endpoints_too() {
    let demo = Copy::new();
    git(&demo, "init -q");
    git(&demo, "add -A");
    git(&demo, "commit -qm state");
    let compare = |command: &str, code: i32| -> Json {
        let done = demo.policyc(&format!("{command} --format json"));
        assert_eq!(done.status.code(), Some(code), "{}", shown(&done));
        serde_json::from_slice(&done.stdout).unwrap()
    };
    let of = |all: &Json, name: &str| all.as_array().unwrap().iter().find(|m| m["new"] == name).unwrap().clone();
    let fates = |meaning: &Json| -> Vec<(String, Json, Json)> {
        let rows = meaning["changes"].as_array().unwrap().iter().filter(|row| row["fate"] != "unchanged");
        rows.map(|row| (row["fate"].as_str().unwrap().to_owned(), row["actions"].clone(), row["because"].clone())).collect()
    };
    let by_stack = "diff --stack demo --base HEAD";
    assert_eq!(fates(&of(&compare(by_stack, 0), POLICY)), []);
    // The settings, and an edit by hand.
    demo.configure("repositories = []", "");
    let done = demo.policyc("derive --stack demo");
    assert!(done.status.success(), "{}", said(&done));
    demo.edit(POLICY, "\"s3:PutObject\"", "\"s3:PutObject\",\n        \"s3:DeleteObject\"");
    let want = |fate: &str, action: &str, why: &str| (fate.to_owned(), json!([action]), json!([why]));
    let all = [
        want("gained", "s3:DeleteObject", "because it was edited, or not derived again"),
        want("gone", "s3:GetObject", "because the settings in policyc.toml changed"),
    ];
    assert_eq!(fates(&of(&compare(by_stack, 1), POLICY)), all);
    // The files by themselves, and the template.
    let of_files = fates(&of(&compare(&format!("diff --base HEAD {POLICY}"), 1), "s3-endpoint.json"));
    assert_eq!(
        of_files.iter().map(|(fate, actions, _)| (fate.as_str(), actions)).collect::<Vec<_>>(),
        [("gained", &json!(["s3:DeleteObject"])), ("gone", &json!(["s3:GetObject"]))]
    );
    let name = "ssm-session-mgr-privatelink-example.yaml, S3Endpoint";
    let of_template = fates(&of(&compare(&format!("diff --base HEAD {TEMPLATE}"), 0), name));
    assert_eq!(
        of_template.iter().map(|(fate, actions, _)| (fate.as_str(), actions)).collect::<Vec<_>>(),
        [("gone", &json!(["s3:GetObject"]))]
    );
    // Without a policy everything goes through.
    demo.set_policy(None);
    let all = compare(&format!("diff --base HEAD {TEMPLATE}"), 1);
    assert_eq!(of(&all, name)["nothing_gained"], "not proved");
    git(&demo, &format!("checkout -q -- {TEMPLATE}"));
    // One of another kind is told, and decides nothing.
    demo.set_policy(Some(&json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "1"}, "Action": "*", "Resource": "*"}})));
    let done = demo.policyc(&format!("diff --base HEAD {TEMPLATE}"));
    assert_eq!(done.status.code(), Some(0), "{}", shown(&done));
    assert!(said(&done).contains("note: the policy of the endpoint `S3Endpoint` is not compared"), "{}", said(&done));
}
