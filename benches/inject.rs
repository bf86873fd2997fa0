//! What it costs to inject into a template of 10,000 lines, in YAML and in JSON: the target is 20 ms.

#![allow(missing_docs)] // criterion's macros write functions without
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeMap;
use std::fmt::Write as _;

use criterion::{Criterion, criterion_group, criterion_main};
use policyc::catalog::Catalog;
use policyc::emit::StackValues;
use policyc::emit::place::{Placement, place};
use policyc::emit::render::{About, SectionTemplates};
use policyc::iam::Policy;
use policyc::stack::config::AttachAs;
use policyc::template::{Document, Value};

const LINES: usize = 10_000;

/// A template with a role at its beginning, one at its end, and instances with comments between them.
fn yaml() -> String {
    let role = |id: &str| {
        format!(
            "  {id}:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {{}}\n      ManagedPolicyArns:\n      # the agent\n      \
             - arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM # needs it\n      - arn:aws:iam::aws:policy/Other\n"
        )
    };
    let mut text = format!("AWSTemplateFormatVersion: '2010-09-09'\nResources:\n{}", role("First"));
    for n in 0.. {
        write!(
            text,
            "  # instance {n}\n  Instance{n}:\n    Type: AWS::EC2::Instance\n    DependsOn: First\n    Properties:\n      ImageId: !Ref Image # latest\n      \
             UserData:\n        Fn::Base64: !Sub |\n          #!/bin/sh\n          echo ${{AWS::Region}} instance {n}\n      \
             Tags: [{{Key: Name, Value: !Sub '${{AWS::StackName}}-{n}'}}]\n"
        )
        .unwrap();
        if text.lines().count() > LINES - 12 {
            break;
        }
    }
    text + &role("Last")
}

fn inject(c: &mut Criterion) {
    let yaml = yaml();
    let json = Value::read(Document::parse(yaml.as_bytes()).unwrap().root()).unwrap().to_json();
    let json = serde_json::to_string_pretty(&json).unwrap();
    let policy = Policy::parse(
        br#"{"Version": "2012-10-17", "Statement": [{"Sid": "Parameters", "Effect": "Allow", "Action": "ssm:GetParameter",
            "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/a/*"}]}"#,
    )
    .unwrap();
    let values = StackValues {
        partition: "aws".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        ..StackValues::default()
    };
    let mut group = c.benchmark_group("inject");
    group.sample_size(20);
    for (format, text) in [("yaml", &yaml), ("json", &json)] {
        for role in ["First", "Last"] {
            let placement = Placement {
                role,
                replaces: "AmazonEC2RoleforSSM",
                attach_as: AttachAs::Inline,
                policy: &policy,
                reasons: &BTreeMap::new(),
                about: About::default(),
                templates: &SectionTemplates::default(),
                values: &values,
            };
            group.bench_function(format!("{format} {} lines, {role}", text.lines().count()), |b| {
                b.iter(|| place(text.as_bytes(), &placement, Catalog::embedded()).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, inject);
criterion_main!(benches);
