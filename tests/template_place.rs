//! A policy at its place: names that the template's resources and parameters hold become references.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeMap;

use policyc::catalog::Catalog;
use policyc::emit::StackValues;
use policyc::emit::endpoint::{EndpointPlacement, place_endpoint};
use policyc::emit::place::{Placement, place};
use policyc::emit::render::{About, SectionTemplates};
use policyc::iam::Policy;
use policyc::stack::config::AttachAs;
use serde_json::json;

/// The resources that the section has where the policy names these, with these parameters and names of the stack.
fn written(parameters: &str, names: &[(&str, &str)], resources: &[&str]) -> Vec<String> {
    let template = format!(
        "Parameters:\n{parameters}Resources:\n  Own:\n    Type: AWS::S3::Bucket\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {{}}\n"
    );
    let policy =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": resources}]});
    let values = StackValues {
        partition: "aws".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        names: names.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect(),
        ..StackValues::default()
    };
    let placement = Placement {
        role: "Role",
        replaces: "AmazonEC2RoleforSSM",
        attach_as: AttachAs::Inline,
        policy: &Policy::from_value(&policy).unwrap(),
        reasons: &BTreeMap::new(),
        about: About::default(),
        templates: &SectionTemplates::default(),
        values: &values,
    };
    let placed = place(template.as_bytes(), &placement, Catalog::embedded()).unwrap();
    let text = String::from_utf8(placed.bytes).unwrap();
    let (_, section) = text.split_once("Resource:\n").unwrap();
    section.lines().map(|line| line.trim().trim_start_matches("- ").to_owned()).collect()
}

#[test]
fn a_policy_that_is_not_there_is_missed_once() {
    let told = |managed: &str, replaces: &str, form: AttachAs| {
        let template = format!(
            "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      Path: /\n      ManagedPolicyArns: [{managed}]\n"
        );
        let policy =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
        let policy = Policy::from_value(&policy).unwrap();
        let at = |bytes: &[u8], form: AttachAs| {
            let placement = Placement {
                role: "Role",
                replaces,
                attach_as: form,
                policy: &policy,
                reasons: &BTreeMap::new(),
                about: About::default(),
                templates: &SectionTemplates::default(),
                values: &StackValues::default(),
            };
            place(bytes, &placement, Catalog::embedded()).unwrap()
        };
        let first = at(template.as_bytes(), form);
        for again in [AttachAs::Inline, AttachAs::RolePolicy] {
            let second = at(&first.bytes, again);
            assert_eq!(second.findings, [], "{managed}: {form:?} and then {again:?}");
            assert!(again != form || second.bytes == first.bytes);
        }
        first.findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let core = "!Sub 'arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore'";
    let advice = "name what goes: with `--replaces` of `inject`, or as the role's `baseline` in `policyc.toml`";
    for form in [AttachAs::Inline, AttachAs::RolePolicy] {
        let both = told(&format!("{core}, {admin}"), "AmazonEC2RoleforSSM", form);
        assert_eq!(
            both,
            [format!(
                "warning[nothing-replaced]: `Role` does not have `AmazonEC2RoleforSSM`, so nothing was taken off it; it still has: `arn:${{AWS::Partition}}:iam::aws:policy/AmazonSSMManagedInstanceCore`, `{admin}` ({advice})"
            )]
        );
        let none = "note[template-note]: `Role` does not have `AmazonEC2RoleforSSM`, so nothing was taken off it; it has no managed policy at all";
        assert_eq!(told("", "AmazonEC2RoleforSSM", form), [none]);
        assert_eq!(told(admin, "AdministratorAccess", form), Vec::<String>::new());
        assert_eq!(told(admin, "", form), Vec::<String>::new());
    }
}

#[test]
fn comments_that_go_with_an_endpoints_policy_are_counted() {
    for (policy, gone) in [
        ("{Statement: []} # one", 1),
        ("{Statement: []}\n        # one\n        # two", 2),
        ("# one\n        Statement: [] # two", 2),
        ("{Statement: []}\n      # of the next", 0),
    ] {
        let template = format!(
            "Resources:\n  E:\n    Type: AWS::EC2::VPCEndpoint\n    Properties:\n      PolicyDocument: {policy}\n      VpcId: v\n"
        );
        let allowed =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
        let placement = EndpointPlacement {
            endpoint: "E",
            policy: &Policy::from_value(&allowed).unwrap(),
            reasons: &BTreeMap::new(),
            about: About::default(),
            templates: &SectionTemplates::default(),
            values: &StackValues::default(),
        };
        let placed = place_endpoint(template.as_bytes(), &placement, Catalog::embedded()).unwrap();
        let told: Vec<&str> = placed.findings.iter().map(|finding| finding.message.as_str()).collect();
        let said = format!("in `E`, {gone} comment line(s) of the replaced policy went with it");
        assert_eq!(told, if gone > 0 { vec![said.as_str()] } else { vec![] }, "{template}");
    }
}

#[test]
fn a_parameter_that_holds_a_name_becomes_a_reference() {
    let check = |parameters: &str, names: &[(&str, &str)], resource: &str, want: &str| {
        assert_eq!(written(parameters, names, &[resource]), [want], "{parameters}");
    };
    let logs = "  Logs: {Type: String, Default: acme-session-logs}\n";
    check(logs, &[], "arn:aws:s3:::acme-session-logs/x/*", "!Sub arn:${AWS::Partition}:s3:::${Logs}/x/*");
    check(
        logs,
        &[("Logs", "other-session-logs")],
        "arn:aws:s3:::other-session-logs/*",
        "!Sub arn:${AWS::Partition}:s3:::${Logs}/*",
    );
    check(
        logs,
        &[("Logs", "other-session-logs")],
        "arn:aws:s3:::acme-session-logs",
        "!Sub arn:${AWS::Partition}:s3:::acme-session-logs",
    );
    check(logs, &[], "arn:aws:s3:::acme-session-logs-2", "!Sub arn:${AWS::Partition}:s3:::acme-session-logs-2");
    let group = "  Group: {Type: String, Default: /acme/sessions}\n";
    check(
        group,
        &[],
        "arn:aws:logs:us-east-1:123456789012:log-group:/acme/sessions:*",
        "!Sub arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Group}:*",
    );
    // Short words may be the same by chance, unless the parameter says what it is.
    check("  Stage: {Type: String, Default: prod}\n", &[], "arn:aws:s3:::prod/*", "!Sub arn:${AWS::Partition}:s3:::prod/*");
    check(
        "  BucketName: {Type: String, Default: prod}\n",
        &[],
        "arn:aws:s3:::prod/*",
        "!Sub arn:${AWS::Partition}:s3:::${BucketName}/*",
    );
    // A parameter of another type gives something else than its default, and of two it cannot be told which is meant.
    let ssm = "  Logs: {Type: AWS::SSM::Parameter::Value<String>, Default: acme-session-logs}\n";
    check(ssm, &[], "arn:aws:s3:::acme-session-logs/*", "!Sub arn:${AWS::Partition}:s3:::acme-session-logs/*");
    check(
        &format!("{logs}{}", logs.replace("Logs", "More")),
        &[],
        "arn:aws:s3:::acme-session-logs/*",
        "!Sub arn:${AWS::Partition}:s3:::acme-session-logs/*",
    );
    // The resource itself comes first.
    check(logs, &[("Own", "acme-session-logs")], "arn:aws:s3:::acme-session-logs/*", "!Sub arn:${AWS::Partition}:s3:::${Own}/*");
}
