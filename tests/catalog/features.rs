//! Features: which signs show each, and exactly what it needs.

use std::fmt::Write;

use policyc::catalog::Catalog;
use policyc::catalog::coverage::Visibility;
use policyc::catalog::features::{Feature, Place, SignRule};
use policyc::iam::{Action, Policy};

use super::{check, rows};

const FEATURES: &str = include_str!("tables/features.txt");

/// Every line of the table with the feature it belongs to in front.
fn table() -> Vec<String> {
    let mut feature = "";
    let mut all = Vec::new();
    for row in rows(FEATURES) {
        if row.starts_with(' ') {
            all.push(format!("{feature}: {}", row.trim()));
        } else {
            feature = row.split(' ').next().unwrap();
            all.push(row.to_owned());
        }
    }
    all
}

fn sign(rule: &SignRule) -> String {
    let mut text = match (&rule.instance, &rule.operator) {
        (Some(action), None) => format!("sign instance {action}"),
        (None, Some(event)) => format!("sign operator {event}"),
        both => panic!("a sign is either the instance's or an operator's: {both:?}"),
    };
    if rule.by_agent {
        text.push_str(" by-agent");
    }
    if let Some(place) = rule.names {
        text.push_str(match place {
            Place::SessionLog => " naming session-log",
            Place::OutputBucket => " naming output-bucket",
            Place::OutputLogGroup => " naming output-log-group",
            Place::CheckedBucket => " naming checked-bucket",
            Place::CommandOutput => " naming command-output",
        });
    }
    if !rule.documents.is_empty() {
        let mut documents = rule.documents.clone();
        documents.sort();
        let _ = write!(text, " with {}", documents.join(" "));
    }
    text
}

fn on(need: &policyc::catalog::features::FeatureNeed) -> String {
    match serde_json::to_value(&need.on).unwrap() {
        serde_json::Value::String(kind) => kind,
        other => format!("document:{}", other["document"].as_str().unwrap()),
    }
}

fn told(feature: &Feature) -> Vec<String> {
    let head = if feature.through_agent { format!("{} agent", feature.name) } else { feature.name.clone() };
    let signs = feature.signs.iter().map(|s| format!("{}: {}", feature.name, sign(s)));
    let needs = feature.needs.iter().map(|n| format!("{}: need {} on {}", feature.name, n.action, on(n)));
    [head].into_iter().chain(signs).chain(needs).collect()
}

#[test]
fn every_feature_has_its_signs_and_its_needs() {
    let table = table();
    check("features", table.iter().map(String::as_str), Catalog::embedded().features().iter().flat_map(told));
}

#[test]
fn every_need_has_a_reason_a_source_and_an_action_that_exists() {
    for feature in Catalog::embedded().features() {
        assert!(feature.source.starts_with("https://docs.aws.amazon.com/"), "{}", feature.name);
        assert!(!feature.title.is_empty() && !feature.signs.is_empty() && !feature.needs.is_empty(), "{}", feature.name);
        for need in &feature.needs {
            let action = Action::parse(&need.action).unwrap();
            let known = Catalog::embedded().reference.action(&action);
            assert_eq!(known.map(|f| f.name.as_str()), Some(action.name()), "{}", feature.name);
            assert!(need.why.len() > 10, "{} {}", feature.name, need.action);
        }
        for rule in &feature.signs {
            if let Some(action) = &rule.instance {
                let action = Action::parse(action).unwrap();
                assert!(Catalog::embedded().reference.action(&action).is_some(), "{}: {action}", feature.name);
            }
        }
    }
}

/// The permissions of the first baseline that nothing shows: each is needed by a feature or reported as blind, knowingly.
#[test]
fn what_cannot_be_seen_is_known_to_a_feature_or_left_out_knowingly() {
    let policy = policyc::catalog::baselines::find("AmazonEC2RoleforSSM").unwrap();
    let policy = Policy::parse(policy.document).unwrap();
    let catalog = Catalog::embedded();
    let actions = super::visibility::actions(&policy);
    let legacy = &catalog.features.legacy_channel.actions;
    let needed = |a: &Action| {
        let mut needs = catalog.features().iter().flat_map(|f| &f.needs);
        needs.any(|n| Action::parse(&n.action).as_ref() == Some(a)) || legacy.iter().any(|l| l == a.as_str())
    };
    let hidden = actions.iter().filter(|a| catalog.visibility(a) != Visibility::Management && !needed(a));
    let table = "
        s3:AbortMultipartUpload
        s3:ListBucket
        s3:ListBucketMultipartUploads
        s3:ListMultipartUploadParts";
    check("hidden and needed by no feature", rows(table), hidden.map(|a| a.as_str().to_owned()));
}

#[test]
fn the_older_channel() {
    let legacy = &Catalog::embedded().features.legacy_channel;
    assert_eq!(legacy.agent_version, "3.3.40.0");
    let table = "
        ec2messages:AcknowledgeMessage
        ec2messages:DeleteMessage
        ec2messages:FailMessage
        ec2messages:GetEndpoint
        ec2messages:GetMessages
        ec2messages:SendReply";
    check("older channel", rows(table), legacy.actions.iter().cloned());
    let without = "
        ap-east-2
        ap-southeast-5
        ap-southeast-6
        ap-southeast-7
        mx-central-1";
    check("regions without the older channel", rows(without), legacy.regions_without.iter().cloned());
}
