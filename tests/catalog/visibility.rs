//! What CloudTrail can show of the baseline's 41 actions.

use std::collections::BTreeSet;

use policyc::catalog::coverage::Visibility;
use policyc::catalog::{Catalog, baselines};
use policyc::iam::{Action, Pattern, Policy};

use super::{check, rows};

/// Sources: AWS Systems Manager User Guide, "Logging AWS Systems Manager API calls with AWS CloudTrail"; Amazon S3 User
/// Guide, "Amazon S3 CloudTrail events"; Amazon CloudWatch and CloudWatch Logs User Guides, "Logging API calls".
const SHOWN: &str = include_str!("tables/visibility.txt");

/// The actions that a policy names.
pub(crate) fn actions(policy: &Policy) -> BTreeSet<Action> {
    let value: serde_json::Value = serde_json::from_str(&policy.to_json()).unwrap();
    let statements = value["Statement"].as_array().unwrap().clone();
    let named = statements.iter().flat_map(|s| match &s["Action"] {
        serde_json::Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    });
    named.flat_map(|a| Catalog::embedded().reference.expand(&Pattern::parse(a.as_str().unwrap()))).collect()
}

fn shown(action: &Action) -> String {
    let how = match Catalog::embedded().visibility(action) {
        Visibility::Management => "management".to_owned(),
        Visibility::Data { kind, .. } => format!("data {kind}"),
        Visibility::Blind { confidence, .. } => format!("blind {}", confidence.split(':').next().unwrap_or_default()),
    };
    format!("{} {how}", action.as_str())
}

#[test]
fn every_action_of_the_first_baseline() {
    let policy = Policy::parse(baselines::find("AmazonEC2RoleforSSM").unwrap().document).unwrap();
    let actions = actions(&policy);
    assert_eq!(actions.len(), 41);
    check("visibility", rows(SHOWN), actions.iter().map(shown));
}

#[test]
fn actions_of_other_services() {
    let table = "
        s3:GetObjectVersion data AWS::S3::Object
        s3:GetObjectTagging data AWS::S3::Object
        s3:DeleteObject data AWS::S3::Object
        s3:GetBucketPolicy management
        s3:PutBucketTagging management
        s3:ListAllMyBuckets management
        lambda:InvokeFunction data AWS::Lambda::Function
        lambda:GetFunction management
        dynamodb:PutItem data AWS::DynamoDB::Table
        dynamodb:BatchWriteItem data AWS::DynamoDB::Table
        dynamodb:DescribeTable management
        sqs:SendMessage data AWS::SQS::Queue
        sqs:CreateQueue management
        sns:Publish data AWS::SNS::Topic
        kinesis:PutRecords data AWS::Kinesis::Stream
        kinesis:DescribeStream management
        cloudwatch:GetMetricData data AWS::CloudWatch::Metric
        cloudwatch:PutMetricAlarm management
        ssm:RequestManagedInstanceRoleToken data AWS::SSM::ManagedNode
        kms:Decrypt management
        secretsmanager:GetSecretValue management
        iam:PassRole blind documented
        sts:AssumeRole management";
    check(
        "visibility elsewhere",
        rows(table),
        rows(table).into_iter().map(|row| shown(&Action::parse(row.split_whitespace().next().unwrap()).unwrap())),
    );
}

#[test]
fn a_visible_action_needs_its_selector() {
    let catalog = Catalog::embedded();
    let sees = |action: &str, data: &[&str], excluded: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|&t| t.to_owned()).collect();
        let coverage = policyc::ledger::Coverage { data: owned(data), excluded: owned(excluded), ..Default::default() };
        catalog.visible(&Action::parse(action).unwrap(), &coverage)
    };
    assert!(sees("ssm:PutInventory", &[], &[]));
    assert!(!sees("s3:GetObject", &[], &[]));
    assert!(sees("s3:GetObject", &["AWS::S3::Object"], &[]));
    assert!(!sees("s3:GetObject", &["AWS::SSMMessages::ControlChannel"], &[]));
    assert!(!sees("logs:PutLogEvents", &["AWS::S3::Object"], &[]));
    assert!(!sees("kms:Decrypt", &[], &["kms.amazonaws.com"]));
    assert!(sees("ssm:PutInventory", &[], &["kms.amazonaws.com"]));
}
